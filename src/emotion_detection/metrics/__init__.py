"""Metrics on plain arrays: NumPy alone, no model and no files.

:mod:`.classification` computes accuracy, recall and F1, also of each class with intervals,
:mod:`.calibration` the expected calibration error, :mod:`.curves` ROC, precision-recall,
reliability and coverage, :mod:`.agreement` intensity and votes,
:mod:`.group_gaps` differences between groups, and :mod:`.statistics` intervals and tests.
"""
