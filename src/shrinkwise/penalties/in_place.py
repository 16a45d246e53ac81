"""Proximal maps written into given arrays, many at once, for training steps. The formulas are the reference; kernels
only make them faster.

A kernel is used if the penalty is Σ a|w| + ½ b w² with one a and one b, or a group lasso over the rows or columns of a
matrix, on contiguous float32 or float64 arrays in CPU memory. Otherwise `penalty.prox` is used.
"""

from __future__ import annotations

import math
import sys

import numpy as np

from shrinkwise import kernels

from .array import namespace
from .contract import Penalty


def prox_into(jobs) -> None:
    """out ← prox_{step · penalty}(x) for every (penalty, x, step, out) of `jobs`; out may be x itself.

    Parameters
    ----------
    jobs : list of (Penalty, array or tensor, number ≥ 0, array or tensor of the same shape)
        Kernels process the supported ones together on torch's threads; the others are computed one by one by the
        formula.
    """
    batches: dict[tuple, list] = {}
    for penalty, x, step, out in jobs:
        plan = _plan(penalty, x, step, out)
        if plan is None:
            _copy(penalty.prox(x, step), out)
        else:
            kind, thresholds, shrink = plan
            source, target = _matrix(x), _matrix(out)
            batches.setdefault((kind, source.dtype), []).append((source, target, thresholds, shrink))
            if namespace(out) is not np:
                # A kernel writes past torch, which counts the changes of every tensor.
                sys.modules["torch"].autograd.graph.increment_version(out)
    for (kind, _), batch in batches.items():
        sources, targets, thresholds, shrinks = zip(*batch, strict=True)
        kernels.prox(kind, sources, targets, thresholds, shrinks)


def _plan(penalty: Penalty, x, step, out):
    """(kind, thresholds, shrink) for a kernel, or None."""
    if not (_fits(x) and _fits(out) and x.dtype == out.dtype and isinstance(step, (int, float)) and step >= 0):
        return None
    if (slices := penalty.axis_norms(x)) is not None:
        axis, strengths = slices
        kind = "rows" if axis == 0 else "columns" if x.ndim == 2 else None
        return kind and (kind, np.ascontiguousarray(step * strengths, dtype=np.float64), 1.0)
    slopes = l1_l2_of_all(penalty, x)
    return None if slopes is None else ("separable", np.array([step * slopes[0]]), 1.0 / (1.0 + step * slopes[1]))


def l1_l2_of_all(penalty: Penalty, x) -> tuple[float, float] | None:
    """(a, b) where the penalty is Σ a|w| + ½ b w² with one a and one b for all weights, else None."""
    pieces = penalty.pieces(x)
    if pieces is None or pieces.bounded or not (_number(pieces.b) and _number(pieces.h)) or pieces.h != 0:
        return None
    if any(m is not None or not _number(a) for a, m in pieces.kinks):
        return None
    return float(sum(a for a, _ in pieces.kinks)), float(pieces.b)


def _number(x) -> bool:
    return isinstance(x, (int, float))


def _fits(x) -> bool:
    if namespace(x) is np:
        return x.ndim > 0 and x.dtype in (np.float32, np.float64) and x.flags.c_contiguous
    torch = sys.modules["torch"]
    return (
        type(x) in (torch.Tensor, torch.nn.Parameter)
        and x.ndim > 0
        and x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64)
        and x.is_contiguous()
    )


def _matrix(x):
    """x as a NumPy matrix on the same memory, (first axis, the rest)."""
    array = x if namespace(x) is np else x.detach().numpy()
    return array.reshape(len(array), math.prod(array.shape[1:]))


def _copy(values, out) -> None:
    if namespace(out) is np:
        out[...] = values
    else:
        out.copy_(values)
