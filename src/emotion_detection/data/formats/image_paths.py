"""Find the images of a list, relative to the list or anywhere below it."""

import os
from pathlib import Path


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
