"""Penalised training in PyTorch, with any optimizer, the stated λ and exact zeros."""

from importlib import import_module
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from .path.input_selector import InputSelector

_WHERE = {"InputSelector": "path.input_selector"}  # scikit-learn takes its time to load, and nothing else here needs it

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


if not TYPE_CHECKING:  # for mypy a name that is not imported above does not exist

    def __getattr__(name: str):
        if name not in _WHERE:
            raise AttributeError(f"{name!r} is not a public name of shrinkwise.networks")
        return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
