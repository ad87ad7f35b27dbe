"""The pictures that a user named: files as they are, folders with all that lies below them.

Streams: what is kept is the names of one folder at a time, each folder's identity, and the files
that were met by a link or by name; a million files cost no more memory than the largest folder.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from emotion_detection.images import SUFFIXES

Report = Callable[[str, str], None]
"""Is told what cannot be looked at, and why."""

_URL = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)

_Identity = tuple[int, int]


def picture_files(
    inputs: Iterable[str | os.PathLike[str]],
    report: Report,
    suffixes: tuple[str, ...] = SUFFIXES,
) -> Iterator[Path]:
    """Yield every picture that the inputs name, each file once.

    A file that is named is always taken, whatever its suffix: its content decides, when it is
    read. In folders, files with one of the suffixes are taken, hidden ones (``.name``) are not;
    links are followed. The order is that of the inputs; in a folder its files sorted by name,
    then the folders in it. Hard links are files of their own.

    Args:
        inputs: files and folders.
        report: called with an input or path and the reason, for each input that is not there,
            folder that cannot be read and link to nothing; the rest goes on.
        suffixes: in lower case, of the files that are taken in folders.

    Yields:
        Paths, beginning with the input as it was given.
    """
    walk = _Walk(report, suffixes)
    for given in inputs:
        name = os.fspath(given)
        if _URL.match(name):
            report(name, "a URL: pictures are read from disk alone; download it first")
            continue
        try:
            found = os.stat(name)
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            report(name, "no such file or folder" if missing else _said(error))
            continue
        except ValueError as error:  # a name that no file can have
            report(name, f"no such file or folder: {error}")
            continue
        if os.path.isdir(name):
            yield from walk.below(name)
        elif walk.is_new(name, (found.st_dev, found.st_ino)):
            yield Path(name)


class _Walk:
    """What was seen already, over all inputs."""

    def __init__(self, report: Report, suffixes: tuple[str, ...]) -> None:
        self._report = report
        self._suffixes = suffixes
        self._folders: set[_Identity] = set()
        self._files: set[_Identity] = set()  # only those not met in their own folder

    def below(self, root: str) -> Iterator[Path]:
        """Yield the pictures of a folder and of all folders in it."""
        waiting = [root]
        while waiting:
            folder = waiting.pop()
            try:
                found = os.stat(folder)
                identity = (found.st_dev, found.st_ino)
                if identity in self._folders:
                    continue  # a link back, or a folder that is named twice
                self._folders.add(identity)
                files, links, below = self._listed(folder)
            except OSError as error:
                self._report(folder, _said(error))
                continue
            for name in sorted(files):
                path = os.path.join(folder, name)
                if self._is_new_link(path) if name in links else self._is_new_file(path):
                    yield Path(path)
            waiting += (os.path.join(folder, name) for name in sorted(below, reverse=True))

    def is_new(self, path: str, identity: _Identity) -> bool:
        """Say whether a file was not yielded yet, and from now on it was.

        Args:
            path: a way to it other than by walking the folder that it lies in.
            identity: of the file.
        """
        if identity in self._files:
            return False
        own = os.path.realpath(path)
        if self._is_taken(os.path.basename(own)):
            folder = os.stat(os.path.dirname(own))
            if (folder.st_dev, folder.st_ino) in self._folders:
                return False
        self._files.add(identity)
        return True

    def _is_taken(self, name: str) -> bool:
        return name.lower().endswith(self._suffixes) and not name.startswith(".")

    def _listed(self, folder: str) -> tuple[list[str], set[str], list[str]]:
        """Return the names of a folder's pictures, which of them are links, and its folders."""
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
        return files, links, below

    def _is_new_link(self, path: str) -> bool:
        try:
            found = os.stat(path)
        except OSError:
            self._report(path, "a link to nothing that can be reached")
            return False
        return os.path.isfile(path) and self.is_new(path, (found.st_dev, found.st_ino))

    def _is_new_file(self, path: str) -> bool:
        if not self._files:  # the common case costs no look at the file
            return True
        try:
            found = os.stat(path)
        except OSError:
            return True  # gone or locked: reading it will say so
        return (found.st_dev, found.st_ino) not in self._files


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _said(error: OSError) -> str:
    return f"cannot be read: {error.strerror or error}"
