"""FER-2013 from Kaggle and its votes from FER+'s repository, checked before they are used."""

import contextlib
import os
import shutil
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from emotion_detection.errors import InputError

KAGGLE_DATASET = "deadskull7/fer2013"
VOTES_URL = "https://raw.githubusercontent.com/microsoft/FERPlus/master/fer2013new.csv"
PROBE = "https://www.kaggle.com/robots.txt"
ROWS = {"Training": 28_709, "PublicTest": 3_589, "PrivateTest": 3_589}
PATIENCE = 8.0
"""Seconds until a machine counts as offline."""


class DownloadError(InputError):
    """FER-2013 could not be fetched; the message says what to do by hand."""


def download_fer2013(into: Path) -> Path:
    """Download FER-2013 and FER+'s votes.

    Args:
        into: folder that gets ``fer2013/fer2013.csv`` and ``fer2013/fer2013new.csv``.

    Returns:
        The folder ``fer2013``.

    Raises:
        DownloadError: offline (said within 10 seconds), refused, or not the expected file.
    """
    place = into / "fer2013"
    if all((place / name).is_file() for name in ("fer2013.csv", "fer2013new.csv")):
        return place
    if not _reachable(PROBE):
        raise _download_error(place, "no connection to Kaggle")
    try:
        place.mkdir(parents=True, exist_ok=True)
        if not (place / "fer2013.csv").is_file():
            print("downloading FER-2013 from Kaggle (about 300 MB unpacked)", file=sys.stderr)
            fetched = _fetch_from_kaggle()
            check_rows(fetched)
            _save_download(fetched, place / "fer2013.csv")
        if not (place / "fer2013new.csv").is_file():
            _fetch_votes(place / "fer2013new.csv")
    except DownloadError as error:
        raise _download_error(place, str(error)) from None
    except Exception as error:  # kagglehub and its HTTP client raise many kinds
        first_line = str(error).partition("\n")[0][:160]
        raise _download_error(place, f"{type(error).__name__}: {first_line}") from None
    return place


def check_rows(path: Path) -> None:
    """Check that a FER-2013 CSV has every row of every split.

    Raises:
        DownloadError: the rows differ; the message names the expected ones.
    """
    found = dict.fromkeys(ROWS, 0)
    with path.open("rb") as file:
        next(file, None)
        for line in file:
            usage = line.rpartition(b",")[2].strip().decode("ascii", "replace")
            if usage in found:
                found[usage] += 1
    if found != ROWS:
        raise DownloadError(f"{path} has {found} rows, not {ROWS}")


def _fetch_from_kaggle() -> Path:
    import kagglehub

    folder = Path(kagglehub.dataset_download(KAGGLE_DATASET))
    found = sorted(folder.rglob("fer2013.csv"))
    if not found:
        raise DownloadError(f"{KAGGLE_DATASET} holds no fer2013.csv")
    return found[0]


def _fetch_votes(target: Path) -> None:
    # the votes are an extra: without them FER-2013's own labels still train
    part = target.with_suffix(f".{os.getpid()}.part")
    try:
        with urllib.request.urlopen(VOTES_URL, timeout=30) as answer, part.open("wb") as file:
            shutil.copyfileobj(answer, file)
        lines = part.read_bytes().count(b"\n")
        if lines < sum(ROWS.values()):
            raise OSError(f"{lines} lines, {sum(ROWS.values()) + 1} expected")
        os.replace(part, target)
    except OSError as error:
        print(f"FER+ votes not fetched ({error}); --labels ferplus needs them", file=sys.stderr)
    finally:
        part.unlink(missing_ok=True)


def _save_download(source: Path, target: Path) -> None:
    part = target.with_suffix(f".{os.getpid()}.part")
    try:
        shutil.copyfile(source, part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _reachable(url: str) -> bool:
    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD")
        # whatever is answered, even a refusal: there is a connection
        with (
            contextlib.suppress(urllib.error.HTTPError),
            urllib.request.urlopen(request, timeout=PATIENCE / 2),
        ):
            pass

    return _within(ask, PATIENCE)


def _within(action: Callable[[], None], seconds: float) -> bool:
    """Return True if an action succeeds in time; a DNS lookup can exceed any timeout."""
    done = threading.Event()

    def run() -> None:
        try:
            action()
        except Exception:  # whatever it is, the place was not reached
            return
        done.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return done.is_set()


def _download_error(place: Path, why: str) -> DownloadError:
    return DownloadError(
        f"FER-2013 was not downloaded: {why}. By hand: fetch fer2013.csv from "
        f"https://www.kaggle.com/datasets/{KAGGLE_DATASET} and put it at {place / 'fer2013.csv'}"
        f" (FER+ votes: {VOTES_URL} at {place / 'fer2013new.csv'})"
    )
