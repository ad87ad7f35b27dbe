"""Report on tests of models in one page: accuracy, calibration, errors and methods.

:mod:`.test_runs` finds or makes the tests, :mod:`.facts` computes all numbers (``report.json``),
:mod:`.report_plots` draws them, :mod:`.render` fills the templates, and :mod:`.report_files` writes
the files.
"""

from emotion_detection.evaluation.report.report_files import Report, write_report
from emotion_detection.evaluation.report.test_runs import (
    ReportRequest,
    TestedModel,
    open_test,
    open_tests,
)

__all__ = ["Report", "ReportRequest", "TestedModel", "open_test", "open_tests", "write_report"]
