"""The verbs: fit, score, generate, impute, anomalies, augment, compare, audit.

They settle which arguments go together, and pass on.

`run_...` are the same verbs for callers that also want to say what happened: the command line.
"""

from tabad.api.check import audit, refuse_alarms, run_audit
from tabad.api.detect import Scored, fit, refuse_fit_options, run_fit, run_score, score
from tabad.api.make import Imputed, anomalies, generate, impute, run_impute
from tabad.api.rare import augment, compare, run_augment
from tabad.api.redact import Redacted, run_redact
from tabad.api.shared import as_model

__all__ = [
    "Imputed",
    "Redacted",
    "Scored",
    "anomalies",
    "as_model",
    "audit",
    "augment",
    "compare",
    "fit",
    "generate",
    "impute",
    "refuse_alarms",
    "refuse_fit_options",
    "run_audit",
    "run_augment",
    "run_fit",
    "run_impute",
    "run_redact",
    "run_score",
    "score",
]
