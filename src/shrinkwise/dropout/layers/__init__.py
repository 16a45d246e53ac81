"""Dropout layers, one file each.

To add one: its file, and its line in the imports below and in `__all__`.
"""

from .channel import ChannelDropout
from .concrete import ConcreteDropout
from .drop_connect import DropConnect
from .drop_path import DropPath
from .dropout import Dropout
from .gaussian import AlphaDropout, GaussianDropout
from .locked import LockedDropout
from .unit import UnitDropout

__all__ = [
    "AlphaDropout",
    "ChannelDropout",
    "ConcreteDropout",
    "DropConnect",
    "DropPath",
    "Dropout",
    "GaussianDropout",
    "LockedDropout",
    "UnitDropout",
]
