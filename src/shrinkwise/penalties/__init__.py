"""Penalties f(θ): what a penalty is. No model, no data, no optimizer."""

from .algebra import (
    Leaf,
    concavity,
    fixed_leaves,
    has_constraint,
    has_fixed,
    leaves,
    multiplied,
    rebuild,
    released,
    strength,
    terms,
)
from .constraints.box import Box, NonNegative
from .constraints.constraint import Constraint
from .constraints.l2_ball import L2Ball, MaxNorm
from .constraints.simplex import L1Ball, Simplex
from .constraints.top_k import RowSparsity, TopK
from .contract import OPERATORS, Penalty
from .family import Folded, Grouped
from .function import FromFunction
from .grouped.group_lasso import GroupLasso
from .grouped.group_mcp import GroupMCP
from .grouped.hierarchical import Hierarchical
from .grouped.spanning import SpanningGroups
from .grouped.sparse_group_lasso import SparseGroupLasso
from .groups import Groups
from .in_place import l1_l2_of_all, prox_into
from .pieces import Pieces
from .separable.elastic_net import ElasticNet
from .separable.l0 import L0
from .separable.l1 import L1
from .separable.l2 import L2
from .separable.mcp import MCP
from .separable.scad import SCAD
from .structured.fused_lasso import FusedLasso
from .structured.nuclear_norm import NuclearNorm
from .structured.slope import SLOPE
from .sums import Sum
from .terms import Fixed, On, Scaled

# `Penalty` is the contract and knows no penalty that is made of others: its operators are bound to them here, once.
OPERATORS.update(add=Sum, fixed=Fixed, on=On, scaled=Scaled, from_function=FromFunction)

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
    "Fixed",
    "Folded",
    "FromFunction",
    "FusedLasso",
    "GroupLasso",
    "GroupMCP",
    "Grouped",
    "Groups",
    "Hierarchical",
    "L1Ball",
    "L2Ball",
    "Leaf",
    "MaxNorm",
    "NonNegative",
    "NuclearNorm",
    "On",
    "Penalty",
    "Pieces",
    "RowSparsity",
    "Scaled",
    "Simplex",
    "SpanningGroups",
    "SparseGroupLasso",
    "Sum",
    "TopK",
    "concavity",
    "fixed_leaves",
    "has_constraint",
    "has_fixed",
    "l1_l2_of_all",
    "leaves",
    "multiplied",
    "prox_into",
    "rebuild",
    "released",
    "strength",
    "terms",
]

# Names of the package itself, as in `shrinkwise.L1`: the contract, the groups and every penalty of a room.
_ROOMS = [name for name in __all__ if globals()[name].__module__.count(".") == 3]
PUBLIC = ["Groups", "Penalty", *(name for name in _ROOMS if issubclass(globals()[name], Penalty))]
