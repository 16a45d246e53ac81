"""The rules: importing this registers them all."""

from . import linear_maps, movement, normalization, pointwise, products, reduction
from .registry import has_rule, rule, rule_of

__all__ = [
    "has_rule",
    "linear_maps",
    "movement",
    "normalization",
    "pointwise",
    "products",
    "reduction",
    "rule",
    "rule_of",
]
