"""Find the built web page: in the package, or in the checkout that it was installed from."""

import json
from importlib import metadata, resources
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

INDEX = "index.html"
_DISTRIBUTION = "emotion-detection"
_IN_CHECKOUT = Path("src/emotion_detection/serving/page")

MISSING = (
    "the page is not built: run 'make web' in the checkout that you installed the package from, "
    "before or after installing"
)


def find_page_folder() -> Path:
    """Return the folder of the built page, which may not exist yet.

    If the package was installed before the page was built, the page of the checkout is used, so
    that ``make web`` is enough.
    """
    own = Path(str(resources.files("emotion_detection.serving"))) / "page"
    if is_page_built(own):
        return own
    checkout = _checkout()
    if checkout is not None and is_page_built(checkout / _IN_CHECKOUT):
        return checkout / _IN_CHECKOUT
    return own


def is_page_built(folder: Path) -> bool:
    """Return True if there is a page in a folder."""
    return (folder / INDEX).is_file()


def _checkout() -> Path | None:
    """Return the folder that a copy of the package was installed from, if pip recorded one."""
    try:
        record = metadata.distribution(_DISTRIBUTION).read_text("direct_url.json")
        origin = json.loads(record) if record else {}
        # an editable install uses the page in the package itself
        if "dir_info" not in origin or origin["dir_info"].get("editable"):
            return None
        return Path(url2pathname(urlsplit(origin["url"]).path))
    except (metadata.PackageNotFoundError, OSError, ValueError, KeyError, TypeError):
        return None
