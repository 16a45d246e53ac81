"""Penalties f(θ): what a penalty is. No model, no data, no optimizer."""

from .box import Box, NonNegative
from .constraint import Constraint
from .contract import Penalty
from .elastic_net import ElasticNet
from .function import FromFunction
from .fused_lasso import FusedLasso
from .group_lasso import GroupLasso
from .group_mcp import GroupMCP
from .groups import Groups
from .hierarchical import Hierarchical
from .in_place import l1_l2_of_all, prox_into
from .l0 import L0
from .l1 import L1
from .l2 import L2
from .l2_ball import L2Ball, MaxNorm
from .mcp import MCP
from .nuclear_norm import NuclearNorm
from .pieces import Pieces
from .scad import SCAD
from .simplex import L1Ball, Simplex
from .slope import SLOPE
from .sparse_group_lasso import SparseGroupLasso
from .sums import Sum
from .terms import Fixed, On, Scaled
from .top_k import RowSparsity, TopK

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
    "FromFunction",
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
    "On",
    "Penalty",
    "Pieces",
    "RowSparsity",
    "Scaled",
    "Simplex",
    "SparseGroupLasso",
    "Sum",
    "TopK",
    "l1_l2_of_all",
    "prox_into",
]
