"""The rules: importing this registers them all."""

from . import linear_maps, movement, normalization, pointwise, products, reduction
from .registry import rule, rule_of

__all__ = ["linear_maps", "movement", "normalization", "pointwise", "products", "reduction", "rule", "rule_of"]
