"""Pictures drawn with matplotlib from plain arrays; imported only by `.plot()` methods."""

from .coefficient_path import coefficient_path
from .network_path import network_path
from .thinned import thinned
from .validation_curve import validation_curve

__all__ = ["coefficient_path", "network_path", "thinned", "validation_curve"]
