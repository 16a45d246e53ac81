"""Pictures drawn with matplotlib from plain arrays; imported only by `.plot()` methods."""

from .coefficient_path import coefficient_path
from .thinned import thinned

__all__ = ["coefficient_path", "thinned"]
