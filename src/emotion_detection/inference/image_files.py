"""List the image files of a command's inputs: files, and all images below folders.

Files are streamed. Memory holds the names of one folder at a time, the identity of each folder, and
the files that were reached by a link or named as inputs. A million files cost no more memory than
the largest folder.
"""

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from emotion_detection.images.file_types import read_suffixes
from emotion_detection.images.opening import NO_URL, URL

Report = Callable[[str, str], None]
"""Called with an input or path that cannot be read, and the reason."""

_Folder = tuple[int, int]
"""Device and inode, which identify a folder by whatever path it was reached."""
_File = tuple[_Folder, str]
"""A file's resolved folder, and its name there; hard links count as separate files."""


def list_image_files(
    inputs: Iterable[str | os.PathLike[str]],
    report: Report,
    suffixes: tuple[str, ...] | None = None,
    left_out: Counter[str] | None = None,
) -> Iterator[Path]:
    """Yield every image of the inputs, each file once.

    A file that is named as an input is always yielded, whatever its suffix. In folders, files with
    one of the suffixes are yielded, except hidden ones (``.name``); links are followed. Inputs keep
    their order. The files of a folder are sorted by name and come before its subfolders. Hard links
    count as separate files.

    Args:
        inputs: files and folders.
        report: called with an input or path and the reason, for each missing input, unreadable
            folder and broken link; the iteration continues.
        suffixes: lower-case suffixes of the files that are yielded from folders; None: those of all
            supported image formats.
        left_out: if given, counts the other files in folders by lower-case suffix, without hidden
            ones.

    Yields:
        Paths, which begin with the input as given.
    """
    suffixes = read_suffixes() if suffixes is None else suffixes
    walk = _Walk(report, suffixes, Counter() if left_out is None else left_out)
    for given in inputs:
        name = os.fspath(given)
        if URL.match(name):
            report(name, NO_URL)
            continue
        try:
            is_folder = os.path.isdir(name)
            new = not is_folder and walk.is_new(name)
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            report(name, "no such file or folder" if missing else _said(error))
            continue
        except ValueError as error:  # a name that no file can have
            report(name, f"no such file or folder: {error}")
            continue
        if is_folder:
            yield from walk.below(name)
        elif new:
            yield Path(name)


class _Walk:
    """The files and folders yielded so far, over all inputs."""

    def __init__(self, report: Report, suffixes: tuple[str, ...], left_out: Counter[str]) -> None:
        self._report = report
        self._left_out = left_out
        self._suffixes = suffixes
        self._folders: set[_Folder] = set()
        self._files: set[_File] = set()  # only those not yet reached in their own folder

    def below(self, root: str) -> Iterator[Path]:
        """Yield the images of a folder and of all its subfolders."""
        waiting = [root]
        while waiting:
            folder = waiting.pop()
            try:
                own = _identity(folder)
                if own in self._folders:
                    continue  # a link back, or a folder that is named twice
                files, links, below = self._listed(folder)
            except OSError as error:
                self._report(folder, _said(error))
                continue
            self._folders.add(own)  # not before: files of a closed folder can still be named
            for name in sorted(files):
                path = os.path.join(folder, name)
                new = self._is_new_link(path) if name in links else (own, name) not in self._files
                if new:
                    yield Path(path)
            waiting += (os.path.join(folder, name) for name in sorted(below, reverse=True))

    def is_new(self, path: str) -> bool:
        """Return True if a file was not yielded before, and mark it as yielded.

        Args:
            path: a path to it that was not found by walking its own folder.

        Raises:
            OSError: the file does not exist or cannot be reached.
        """
        os.stat(path)
        place, name = os.path.split(os.path.realpath(path))
        own = (_identity(place), name)
        if own in self._files or (own[0] in self._folders and self._is_taken(name)):
            return False
        self._files.add(own)
        return True

    def _is_taken(self, name: str) -> bool:
        return name.lower().endswith(self._suffixes) and not name.startswith(".")

    def _listed(self, folder: str) -> tuple[list[str], set[str], list[str]]:
        """Return the names of a folder's images, the links among them, and the subfolders."""
        files, links, below = [], set(), []
        with os.scandir(folder) as entries:
            for entry in entries:
                if _is_folder(entry):
                    if not entry.name.startswith("."):
                        below.append(entry.name)
                elif self._is_taken(entry.name):
                    if entry.is_symlink():
                        links.add(entry.name)
                        files.append(entry.name)
                    elif entry.is_file():
                        files.append(entry.name)
                elif not entry.name.startswith("."):
                    self._left_out[os.path.splitext(entry.name)[1].lower()] += 1
        return files, links, below

    def _is_new_link(self, path: str) -> bool:
        try:
            return stat.S_ISREG(os.stat(path).st_mode) and self.is_new(path)
        except OSError:
            self._report(path, "a link to nothing that can be reached")
            return False


def _identity(folder: str) -> _Folder:
    found = os.stat(folder)
    return found.st_dev, found.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _said(error: OSError) -> str:
    return f"cannot be read: {error.strerror or error}"
