"""Penalised training in PyTorch: any optimizer, the λ you wrote, zeros that are zeros."""

try:
    import torch  # noqa: F401
except ImportError as error:
    raise ImportError('networks need PyTorch: pip install "shrinkwise[torch]"') from error

from .attach import Regularization, attach, attached
from .certificate import Certificate
from .objective import penalty
from .report import Report
from .rules import Rule, rule

__all__ = ["Certificate", "Regularization", "Report", "Rule", "attach", "attached", "penalty", "rule"]
