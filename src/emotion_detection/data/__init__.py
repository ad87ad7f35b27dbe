"""Files on disk -> arrays of faces.

:func:`load` finds, recognises, decodes (once) and opens a source; each shape of data has a module:
:mod:`.fer2013_csv`, :mod:`.parquet`, :mod:`.folders`, :mod:`.manifest`, :mod:`.ferplus` (votes),
:mod:`.demo` (drawn faces). :mod:`.cache` keeps the arrays, :mod:`.splitting` makes missing splits,
:mod:`.duplicates` finds copies.
"""

from emotion_detection.data.faces import SPLITS, Corrupt, Dataset, Faces, joined
from emotion_detection.data.find import load

__all__ = ["SPLITS", "Corrupt", "Dataset", "Faces", "joined", "load"]
