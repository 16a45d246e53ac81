"""Dropout: regularization by noise. `keep` is the probability of keeping a unit, everywhere."""

try:
    import torch  # noqa: F401
except ImportError as error:
    raise ImportError('dropout needs PyTorch: pip install "shrinkwise[torch]"') from error

from . import functional
from .adaptive import dropout_penalty
from .attention import attention
from .channel import ChannelDropout
from .concrete import ConcreteDropout
from .convert import convert
from .drop_connect import DropConnect
from .drop_path import DropPath
from .ensemble import Subnetworks, ensemble, enumerate_subnetworks, exact_ensemble
from .functional import keep_mask
from .gaussian import AlphaDropout, GaussianDropout
from .layers import Dropout
from .locked import LockedDropout
from .monte_carlo import MCPrediction, mc_predict
from .schedule import KeepSchedule
from .thinned import count_subnetworks, plot_thinned, subnetworks, thinned
from .unit import UnitDropout

__all__ = [
    "AlphaDropout",
    "ChannelDropout",
    "ConcreteDropout",
    "DropConnect",
    "DropPath",
    "Dropout",
    "GaussianDropout",
    "KeepSchedule",
    "LockedDropout",
    "MCPrediction",
    "Subnetworks",
    "UnitDropout",
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
