"""Dropout: regularization by noise. `keep` is always the probability of keeping a unit."""

try:
    import torch  # noqa: F401
except ImportError as error:
    raise ImportError('Dropout needs PyTorch; install it with pip install "shrinkwise[torch]"') from error

from . import functional
from .attention import attention
from .functional import keep_mask
from .layers import *  # noqa: F403
from .layers import __all__ as _LAYERS
from .layers.schedule import KeepSchedule
from .subnetworks.adaptive import dropout_penalty
from .subnetworks.convert import convert
from .subnetworks.ensemble import Subnetworks, ensemble, enumerate_subnetworks, exact_ensemble
from .subnetworks.monte_carlo import MCPrediction, mc_predict
from .subnetworks.thinned import count_subnetworks, plot_thinned, subnetworks, thinned

__all__ = [
    *_LAYERS,
    "KeepSchedule",
    "MCPrediction",
    "Subnetworks",
    "attention",
    "convert",
    "count_subnetworks",
    "dropout_penalty",
    "ensemble",
    "enumerate_subnetworks",
    "exact_ensemble",
    "functional",
    "keep_mask",
    "mc_predict",
    "plot_thinned",
    "subnetworks",
    "thinned",
]
