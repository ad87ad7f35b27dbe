"""Which faces of a dataset look wrong: likely wrong labels, copies that disagree, non-faces.

:func:`audit` does all of it (:mod:`.run`). :mod:`.looked` deals the
faces into folds, :mod:`.folds` trains a network for each fold and asks
it for the faces that it did not see, :mod:`.features` says how unlike others they are,
:mod:`.nonfaces` looks for pictures without a face, :mod:`.suspects` ranks what was found,
:mod:`.sheet` and :mod:`.write` show it.
"""

from emotion_detection.audit_options import AuditOptions
from emotion_detection.evaluation.audit.run import audit

__all__ = ["AuditOptions", "audit"]
