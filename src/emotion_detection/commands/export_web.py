"""``emotion export --web``: write the page and its networks as a folder for any web host."""

import json
from collections.abc import Iterator
from pathlib import Path

from emotion_detection.errors import InputError
from emotion_detection.inference import EmotionDetector
from emotion_detection.inference.browser_export import (
    ABOUT,
    describe_browser_model,
    read_browser_files,
)
from emotion_detection.io.files import write_atomic
from emotion_detection.serving.built_page import INDEX, MISSING, find_page_folder, is_page_built

MODELS = "models"


_MARKS = (INDEX, f"{MODELS}/{ABOUT}")
"""Files of an earlier export."""


def export_page(folder: Path, model: str | None = None, labels: str | None = None) -> int:
    """Write the page as a static folder.

    Args:
        folder: new, empty, or of an earlier export, whose files are replaced.
        model: as for :class:`EmotionDetector`.
        labels: as for :class:`EmotionDetector`.

    Returns:
        Bytes written.

    Raises:
        InputError: the page is not built; there is no such model; the folder holds something else
            or cannot be written.
    """
    # what the user wrote first, then what this installation lacks
    _check(folder)
    about = describe_browser_model(EmotionDetector(model, labels=labels))
    page = find_page_folder()
    if not is_page_built(page):
        raise InputError(MISSING)
    contents = {
        f"{MODELS}/{name}": file.content for name, file in read_browser_files(model).items()
    }
    contents[f"{MODELS}/{ABOUT}"] = (json.dumps(about, indent=1) + "\n").encode()
    contents |= {path.relative_to(page).as_posix(): path.read_bytes() for path in _files(page)}
    # the entry page last, so that it never refers to missing files
    index = contents.pop(INDEX)
    try:
        for name, content in {**contents, INDEX: index}.items():
            write_atomic(folder / name, content)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from None
    return sum(map(len, contents.values())) + len(index)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _check(folder: Path) -> None:
    try:
        if not folder.exists():
            return
        if not folder.is_dir():
            raise InputError(f"--web {folder}: is a file; a folder is needed")
        if any(folder.iterdir()) and not all((folder / name).is_file() for name in _MARKS):
            raise InputError(
                f"--web {folder}: is not empty; name a new folder, or one of an earlier export"
            )
    except OSError as error:
        raise InputError(f"--web {folder}: cannot be read: {error.strerror or error}") from None
