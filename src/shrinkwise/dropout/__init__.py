"""Dropout: regularization by noise. `keep` is the probability of keeping a unit, everywhere."""

try:
    import torch  # noqa: F401
except ImportError as error:
    raise ImportError('dropout needs PyTorch: pip install "shrinkwise[torch]"') from error

from . import functional
from .attention import attention
from .ensemble import Subnetworks, enumerate_subnetworks
from .functional import keep_mask
from .layers import Dropout

__all__ = ["Dropout", "Subnetworks", "attention", "enumerate_subnetworks", "functional", "keep_mask"]
