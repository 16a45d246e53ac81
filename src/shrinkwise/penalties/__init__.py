"""Penalties f(θ), independent of model, data and optimizer."""

from .algebra import Leaf as Leaf
from .algebra import concavity as concavity
from .algebra import fingerprint as fingerprint
from .algebra import fixed_leaves as fixed_leaves
from .algebra import has_constraint as has_constraint
from .algebra import has_fixed as has_fixed
from .algebra import leaves as leaves
from .algebra import multiplied as multiplied
from .algebra import rebuild as rebuild
from .algebra import released as released
from .algebra import strength as strength
from .algebra import terms as terms
from .algebra import with_bounds_scaled as with_bounds_scaled
from .constraints.box import Box, NonNegative
from .constraints.constraint import Constraint
from .constraints.l2_ball import L2Ball, MaxNorm
from .constraints.simplex import L1Ball, Simplex
from .constraints.top_k import RowSparsity, TopK
from .contract import OPERATORS, Penalty
from .family import Folded as Folded
from .family import Grouped as Grouped
from .function import FromFunction as FromFunction
from .grouped.group_lasso import GroupLasso
from .grouped.group_mcp import GroupMCP
from .grouped.hierarchical import Hierarchical
from .grouped.spanning import SpanningGroups as SpanningGroups
from .grouped.sparse_group_lasso import SparseGroupLasso
from .groups import Groups
from .in_place import l1_l2_of_all as l1_l2_of_all
from .in_place import prox_into as prox_into
from .pieces import Pieces as Pieces
from .separable.elastic_net import ElasticNet
from .separable.l0 import L0
from .separable.l1 import L1
from .separable.l2 import L2
from .separable.mcp import MCP
from .separable.scad import SCAD
from .structured.fused_lasso import FusedLasso
from .structured.nuclear_norm import NuclearNorm
from .structured.slope import SLOPE
from .sums import Sum as Sum
from .terms import Fixed as Fixed
from .terms import On as On
from .terms import Scaled as Scaled

# `Penalty` is the contract and knows no penalty that is made of others: its operators are bound to them here, once.
OPERATORS.update(add=Sum, fixed=Fixed, on=On, scaled=Scaled, from_function=FromFunction)

# Names of the package itself, as in `shrinkwise.L1`: the contract, the groups and every penalty of a room. What else is
# imported above is for the rest of the package.
__all__ = [
    "L0",
    "L1",
    "L2",
    "MCP",
    "SCAD",
    "SLOPE",
    "Box",
    "Constraint",
    "ElasticNet",
    "FusedLasso",
    "GroupLasso",
    "GroupMCP",
    "Groups",
    "Hierarchical",
    "L1Ball",
    "L2Ball",
    "MaxNorm",
    "NonNegative",
    "NuclearNorm",
    "Penalty",
    "RowSparsity",
    "Simplex",
    "SparseGroupLasso",
    "TopK",
]
