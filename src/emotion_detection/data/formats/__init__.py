"""Readers of datasets on disk: each returns a :class:`~emotion_detection.data.source.Source`.

Tables of images (:mod:`.table`) are text (:mod:`.delimited`) or Parquet (:mod:`.parquet`); folders
are read by their names (:mod:`.folders`) or as one of the published layouts (:mod:`.layouts`).
"""
