"""Penalties f(θ): what a penalty is. No model, no data, no optimizer."""

from .contract import Fixed, Penalty
from .elastic_net import ElasticNet
from .group_lasso import GroupLasso
from .groups import Groups
from .l1 import L1
from .l2 import L2
from .sums import Sum

__all__ = ["L1", "L2", "ElasticNet", "Fixed", "GroupLasso", "Groups", "Penalty", "Sum"]
