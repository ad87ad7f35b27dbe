"""Turn files on disk into arrays of faces.

:func:`load` locates a dataset, recognises its format, decodes it once and opens it.
:mod:`.formats` reads each format, :mod:`.ferplus` adds votes, :mod:`.synthetic` renders
synthetic faces, :mod:`.class_mapping` chooses classes and joins datasets, :mod:`.whole_images`
crops faces. :mod:`.pixel_store` keeps decoded faces, :mod:`.cache` their labels and splits;
:mod:`.splitting` makes missing splits; :mod:`.duplicates` finds duplicates.
"""

from emotion_detection.data.dataset import SPLITS, Dataset, Faces, UnreadableImage, join_splits
from emotion_detection.data.locate import load

__all__ = ["SPLITS", "Dataset", "Faces", "UnreadableImage", "join_splits", "load"]
