"""C kernels behind one dispatch table, for speed only. Each gives the same results as its reference implementation.

One module per kernel: its C signature, its compiled call and its public function (``kernels.gram_path(...)`` runs the
compiled kernel if the library is built and the reference otherwise; `kernels.dropout` takes only addresses, because its
calls are small). ``kernels.status()`` reports which is used, and why. The environment variable SHRINKWISE_NO_KERNELS=1
hides the library.
"""

from __future__ import annotations

from .library import DISPATCH, find
from .linear.column_blocks import GroupColumns, column_blocks
from .linear.column_products import columns_times, columns_transposed
from .linear.gram import PathRows, gram_certificates, gram_path
from .linear.gram_blocks import GroupQuadratic, diagonal_blocks, eigen, gram_blocks
from .linear.gram_bounded import Bounded, gram_bounded
from .linear.gram_rows import gram_rows
from .linear.gram_scalar import Concave, gram_scalar
from .linear.model_cd import model_cd
from .linear.prefix_deviations import prefix_deviations
from .linear.sequences import sorted_prox, total_variation
from .linear.softmax import softmax, softmax_conjugate, softmax_curvature, to_simplex
from .linear.sparse_cd import WeightedColumns, sparse_cd
from .networks import dropout, optimizer
from .networks.proximal import prox
from .networks.training import lend, metric_prox
from .newton.row_steps import ROW_LOSSES, NewtonJob, row_steps

__all__ = [
    "DISPATCH",
    "ROW_LOSSES",
    "Bounded",
    "Concave",
    "GroupColumns",
    "GroupQuadratic",
    "NewtonJob",
    "PathRows",
    "WeightedColumns",
    "column_blocks",
    "columns_times",
    "columns_transposed",
    "diagonal_blocks",
    "dropout",
    "eigen",
    "gram_blocks",
    "gram_bounded",
    "gram_certificates",
    "gram_path",
    "gram_rows",
    "gram_scalar",
    "lend",
    "metric_prox",
    "model_cd",
    "optimizer",
    "prefix_deviations",
    "prox",
    "row_steps",
    "softmax",
    "softmax_conjugate",
    "softmax_curvature",
    "sorted_prox",
    "sparse_cd",
    "status",
    "to_simplex",
    "total_variation",
]

_SIMD = {4: "AVX-512", 3: "AVX2", 1: "baseline"}


def status() -> dict:
    """The state of the compiled kernels: {"available", "path", "simd", "reason", "kernels"}."""
    loaded, where = find()
    return {
        "available": loaded is not None,
        "path": where if loaded is not None else None,
        "simd": _SIMD[loaded.sw_simd_level()] if loaded is not None else "none",
        "reason": "loaded" if loaded is not None else where,
        "kernels": sorted(DISPATCH),
    }
