"""Tests of models -> one page that says how good, how sure, where it fails, and how we know.

:mod:`.tested` finds or makes the tests, :mod:`.facts` computes all numbers, the ``draw_*`` modules
draw them, the sections (:mod:`.headline`, :mod:`.sections`, :mod:`.sureness`, :mod:`.checks`) say
them in words, :mod:`.page` is the frame, :mod:`.write` writes the files.
"""

from emotion_detection.evaluation.report.tested import Tested, Wanted, open_test, open_tests
from emotion_detection.evaluation.report.write import Report, write_report

__all__ = ["Report", "Tested", "Wanted", "open_test", "open_tests", "write_report"]
