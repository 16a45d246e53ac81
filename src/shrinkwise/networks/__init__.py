"""Penalised training in PyTorch: any optimizer, the λ you wrote, zeros that are zeros."""

try:
    import torch  # noqa: F401
except ImportError as error:
    raise ImportError('networks need PyTorch: pip install "shrinkwise[torch]"') from error

from .attach import attach, attached
from .averaging import Average
from .certificate import Certificate
from .compact import Proof, Removable, compact, removable
from .network_path import NetworkPath
from .objective import penalty
from .polish import Polish
from .regularization import Regularization
from .report import Report
from .rules import Rule, rule
from .schedules import ramp, warmup
from .training import Training

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
    "compact",
    "penalty",
    "ramp",
    "removable",
    "rule",
    "warmup",
]


def __getattr__(name: str):
    if name == "InputSelector":  # scikit-learn takes its time to load, and nothing else here needs it at once
        from .input_selector import InputSelector

        return InputSelector
    raise AttributeError(f"shrinkwise.networks has no public name {name!r}")
