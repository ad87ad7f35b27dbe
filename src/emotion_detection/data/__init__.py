"""Files on disk -> arrays of faces.

:func:`load` finds, recognises, decodes (once) and opens a source. :mod:`.formats` reads each shape
of data; :mod:`.ferplus` adds votes, :mod:`.demo` draws faces, :mod:`.reshape` chooses classes and
joins datasets, :mod:`.photographs` cuts faces out. :mod:`.pixel_store` keeps decoded faces,
:mod:`.cache` their label sets and splits; :mod:`.splitting` makes missing splits;
:mod:`.duplicates` finds copies.
"""

from emotion_detection.data.faces import SPLITS, Corrupt, Dataset, Faces, joined
from emotion_detection.data.find import load

__all__ = ["SPLITS", "Corrupt", "Dataset", "Faces", "joined", "load"]
