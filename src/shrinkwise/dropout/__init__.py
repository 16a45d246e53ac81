"""Dropout: regularization by noise. `keep` is always the probability of keeping a unit."""

try:
    import torch  # noqa: F401
except ImportError as error:
    raise ImportError('Dropout needs PyTorch; install it with pip install "shrinkwise[torch]"') from error

from . import functional
from .attention import attention
from .functional import keep_mask
from .layers.channel import ChannelDropout
from .layers.concrete import ConcreteDropout
from .layers.drop_connect import DropConnect
from .layers.drop_path import DropPath
from .layers.dropout import Dropout
from .layers.gaussian import AlphaDropout, GaussianDropout
from .layers.locked import LockedDropout
from .layers.schedule import KeepSchedule
from .layers.unit import UnitDropout
from .subnetworks.adaptive import dropout_penalty
from .subnetworks.convert import convert
from .subnetworks.ensemble import Subnetworks, ensemble, enumerate_subnetworks, exact_ensemble
from .subnetworks.monte_carlo import MCPrediction, mc_predict
from .subnetworks.thinned import count_subnetworks, plot_thinned, subnetworks, thinned

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
