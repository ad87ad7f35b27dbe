"""List the images below a folder, and find the images that a list names.

Hidden and service folders are left out. A name is relative to the list, or anywhere below it.
"""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from emotion_detection.images.opening import IMAGE_SUFFIXES


class ImagePaths:
    """Finds the image files that a list names.

    A name is a path relative to the list's folder, or an absolute one. Where there is no such file
    the image of that name below the folder is taken, if there is exactly one; ``train_1.jpg`` also
    finds ``train_1_aligned.jpg``, as RAF-DB's lists mean it.

    Args:
        folder: where images are searched.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._index: dict[str, Path | None] | None = None

    def find(self, name: str) -> Path:
        """Return the path of an image; of a file that may not exist where none is found."""
        path = self.folder / name
        if _exists(path):
            return path
        # lists that were written on Windows
        portable = name.replace("\\", "/")
        if portable != name and _exists(self.folder / portable):
            return self.folder / portable
        if self._index is None:
            self._index = _index_files(self.folder)
        found = self._index.get(portable.rpartition("/")[2])
        return path if found is None else found


def _exists(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # no path at all, as with a null byte
        return False


def _index_files(folder: Path) -> dict[str, Path | None]:
    """Return the path of each file name below a folder; None for ambiguous names."""
    index: dict[str, Path | None] = {}
    for here, below, names in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith((".", "@")))
        for name in names:
            path = Path(here, name)
            for key in {name, name.replace("_aligned.", "."), path.stem}:
                index[key] = None if key in index else path
    return index


SERVICE_FOLDERS = {
    *("@eadir", "@recycle", "@tmp", "#recycle", "#snapshot", "$recycle.bin", "lost+found"),
    *("system volume information", "thumbs", "thumbnails"),
}
"""Folders that machines make, in lower case; with ``.*`` and ``__*`` they never count."""

_SIGNATURES = (
    b"\xff\xd8\xff",
    b"\x89PNG",
    b"RIFF",
    b"GIF8",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"P5",
    b"P6",
)


@dataclass
class Tree:
    """The images below a folder.

    Args:
        root: the folder.
        images: their paths relative to it, as parts.
        empty: folders without images in or below them, as parts; at most two levels deep.
        others: number of other files by suffix.
    """

    root: Path
    images: list[tuple[str, ...]] = field(default_factory=list)
    empty: list[tuple[str, ...]] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)

    def tops(self) -> dict[str, list[tuple[str, ...]]]:
        """Return the images by the folder of the first level; '' for those in none."""
        found: dict[str, list[tuple[str, ...]]] = {}
        for parts in self.images:
            found.setdefault(parts[0] if len(parts) > 1 else "", []).append(parts)
        return found


def is_counted(name: str) -> bool:
    """Return True for folders that may hold images: neither hidden nor made by a machine."""
    return not name.startswith((".", "__", "@")) and name.lower() not in SERVICE_FOLDERS


def read_tree(root: Path) -> Tree:
    """Find the images below a folder, in order of their names."""
    tree = Tree(root)
    tree_folders: set[tuple[str, ...]] = set()
    for parts, names in _walk(root, ()):
        if 0 < len(parts) <= 2:
            tree_folders.add(parts)
        for name in names:
            if _is_image(root.joinpath(*parts, name)):
                tree.images.append((*parts, name))
            else:
                tree.others[Path(name).suffix.lower() or name] += 1
    full = {parts[:depth] for parts in tree.images for depth in (1, 2)}
    tree.empty = sorted(tree_folders - full)
    return tree


def _walk(root: Path, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Yield folders with their files; links are followed in the first two levels alone."""
    here = root.joinpath(*above)
    folders, files = [], []
    with os.scandir(here) as entries:
        for entry in entries:
            if _is_folder(entry, root, len(above)):
                folders.append(entry.name)
            elif not entry.name.startswith("."):
                files.append(entry.name)
    yield above, sorted(files)
    for name in sorted(folders):
        if is_counted(name):
            yield from _walk(root, (*above, name))


def _is_folder(entry: os.DirEntry[str], root: Path, depth: int) -> bool:
    if not entry.is_symlink():
        return entry.is_dir()
    try:
        if depth > 1 or not entry.is_dir():
            return False
        # a link to a folder above would never end
        return not Path(root).resolve().is_relative_to(Path(entry.path).resolve())
    except (OSError, RuntimeError):
        return False


def _is_image(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return True
    # "Dr. Who 12" ends in no suffix either; files without one are recognised by their first bytes
    if suffix and len(suffix) <= 6 and " " not in suffix:
        return False
    return _begins_as_image(path)


def _begins_as_image(path: Path) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            begin = file.read(12)
    except OSError:
        return False
    return begin.startswith(_SIGNATURES) and (begin[:4] != b"RIFF" or begin[8:] == b"WEBP")
