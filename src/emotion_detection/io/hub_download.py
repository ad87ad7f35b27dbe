"""Download models of the Hugging Face hub by address, ``hf://user/name``.

Only these addresses use the network. Downloaded files stay in huggingface_hub's cache, which is
used if the hub cannot be reached.
"""

import functools
import re
from pathlib import Path

from emotion_detection.errors import InputError, missing_package
from emotion_detection.io.files import get_path_kind
from emotion_detection.io.hub_folder import CONFIG, check_complete, read_hub_config

SCHEME = "hf://"

_ADDRESS = re.compile(r"hf://(?P<repository>[\w.-]+/[\w.-]+?)(@(?P<revision>[\w./-]+))?")


def is_hub_address(place: str | Path | None) -> bool:
    """Return True for the address of a model on the hub.

    >>> is_hub_address("hf://user/name"), is_hub_address("models/run")
    (True, False)
    """
    return isinstance(place, str) and place.startswith(SCHEME)


def find_hub_folder(place: str | Path, names: tuple[str, ...]) -> Path | None:
    """Return the model folder of an address or of a path.

    Args:
        place: ``hf://user/name`` or ``hf://user/name@revision``, or a local path.
        names: names of the required files beside ``config.json``.

    Returns:
        The local folder with these files; None for a path that is not a model folder.

    Raises:
        InputError: the address is not valid or cannot be downloaded, or the folder is damaged or
            incomplete.
    """
    if is_hub_address(place):
        folder = _download(str(place), (CONFIG, *names))
        if read_hub_config(folder) is None:
            raise InputError(f"{place}: its {CONFIG} is not of a model of this project")
    else:
        folder = Path(place)
        if get_path_kind(folder) != "folder":
            return None
        # a run's own files come first
        if (folder / "best.ckpt").is_file() or read_hub_config(folder) is None:
            return None
    check_complete(folder, (CONFIG, *names))
    return folder


def find_cached_name(path: Path) -> str | None:
    """Return the model's name if a file is in the hub's cache, or None.

    >>> find_cached_name(Path("hub/models--user--name/snapshots/0123/model.onnx"))
    'user--name'
    """
    parts = path.parts[-4:]
    is_cached = len(parts) == 4 and parts[1] == "snapshots" and parts[0].startswith("models--")
    return parts[0].removeprefix("models--") if is_cached else None


@functools.lru_cache
def _download(address: str, names: tuple[str, ...]) -> Path:
    """Return the folder of a snapshot, downloaded once per process unless it is cached."""
    parts = _ADDRESS.fullmatch(address)
    if parts is None:
        raise InputError(
            f"{address}: must be hf://USER/NAME, or hf://USER/NAME@REVISION for a branch, a tag or "
            "a commit"
        )
    try:
        from huggingface_hub import snapshot_download
    except ModuleNotFoundError:
        raise missing_package(address, "huggingface_hub", "hub") from None
    try:
        found = snapshot_download(
            parts["repository"], revision=parts["revision"], allow_patterns=list(names)
        )
    except Exception as error:  # errors of the hub, HTTP, the network or the disk
        raise InputError(f"{address}: {_reason(error)}") from None
    return Path(found)


def _reason(error: Exception) -> str:
    """Return the reason why a download failed, and advice, in one line."""
    name = type(error).__name__
    if name in ("RepositoryNotFoundError", "GatedRepoError"):
        return (
            "there is no such model, or it needs a login: check the name, or say "
            "'hf auth login' first"
        )
    if name == "RevisionNotFoundError":
        return "there is no such revision of this model"
    if name in ("LocalEntryNotFoundError", "OfflineModeIsEnabled", "ConnectError"):
        return (
            "it is not in the cache, and the hub cannot be reached: check the connection, or "
            "give a local folder"
        )
    reason = next(iter(str(error).strip().splitlines()), "") or name
    return f"cannot be downloaded: {reason[:160]}"
