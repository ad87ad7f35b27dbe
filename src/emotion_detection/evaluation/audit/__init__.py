"""Find faces that look wrong: likely wrong labels, duplicates whose labels differ, non-faces.

:func:`run_audit` does all of it (:mod:`.audit_run`). :mod:`.audited_faces` assigns faces to folds,
:mod:`.folds` trains a network for each fold, predicts its held-out faces and measures how far a
face is from others, :mod:`.nonfaces` detects images without a face, :mod:`.label_issues` ranks the
findings; :mod:`.audit_files` writes them.
"""

from emotion_detection.audit_options import AuditOptions
from emotion_detection.evaluation.audit.audit_run import run_audit

__all__ = ["AuditOptions", "run_audit"]
