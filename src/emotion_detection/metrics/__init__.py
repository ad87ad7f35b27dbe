"""Metrics on plain arrays: NumPy alone, no model and no files.

:mod:`.classification` computes accuracy, recall and F1, :mod:`.calibration` the expected
calibration error, :mod:`.curves` ROC, precision-recall, reliability and coverage,
:mod:`.classification` metrics of each class with intervals, :mod:`.agreement` intensity and votes,
:mod:`.gaps` differences between groups, and :mod:`.statistics` intervals and tests.
"""
