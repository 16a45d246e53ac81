"""Penalised training in PyTorch, with any optimizer, the stated λ and exact zeros."""

try:
    import torch  # noqa: F401
except ImportError as error:
    raise ImportError('Networks need PyTorch; install it with pip install "shrinkwise[torch]"') from error

from .attaching.api import attach, attached
from .attaching.averaging import Average
from .attaching.certificate import Certificate
from .attaching.objective import penalty
from .attaching.polish import Polish
from .attaching.regularization import Regularization
from .attaching.report import Report
from .attaching.rules import Rule, rule
from .attaching.schedules import ramp, warmup
from .audit import audit
from .compact import Proof, Removable, compact, removable
from .path.network_path import NetworkPath
from .path.training import Training

__all__ = [
    "Average",
    "Certificate",
    "InputSelector",
    "NetworkPath",
    "Polish",
    "Proof",
    "Regularization",
    "Removable",
    "Report",
    "Rule",
    "Training",
    "attach",
    "attached",
    "audit",
    "compact",
    "penalty",
    "ramp",
    "removable",
    "rule",
    "warmup",
]


def __getattr__(name: str):
    if name == "InputSelector":  # scikit-learn takes its time to load, and nothing else here needs it at once
        from .path.input_selector import InputSelector

        return InputSelector
    raise AttributeError(f"{name!r} is not a public name of shrinkwise.networks")
