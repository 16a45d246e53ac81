"""Functions that work on NumPy arrays and torch tensors alike, for the few operations in which the libraries differ.

float16 and bfloat16 are computed in float32 and rounded once at the end, so that a small λ is not lost to rounding.
"""

from __future__ import annotations

import math
import sys

import numpy as np


def namespace(w):
    """The library that `w` belongs to: torch for tensors, NumPy for everything else. Never imports torch."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and isinstance(w, torch.Tensor) else np


def weights_array(w):
    """`w` unchanged if it is a floating-point array or tensor; else TypeError (an integer array cannot hold a prox)."""
    xp = namespace(w)
    if xp is np:
        w = np.asarray(w)
        floating = np.issubdtype(w.dtype, np.floating)
    else:
        floating = w.dtype.is_floating_point
    if not floating:
        raise TypeError(f"Expected floating-point weights, got {w.dtype}; convert them first, e.g. w.astype(float)")
    return w


def working(w):
    """`w` checked as by `weights_array`, and converted to float32 if it is a half type."""
    w = weights_array(w)
    if w.dtype.itemsize >= 4:
        return w
    return w.astype(np.float32) if namespace(w) is np else w.float()


def like(values, w):
    """`values` (number, sequence or array) ready to be combined with `w` without changing its dtype or device."""
    if values is None or isinstance(values, (int, float)):
        return values
    xp = namespace(w)
    if xp is np:
        if namespace(values) is not np:
            values = values.detach().cpu().numpy()
        values = np.asarray(values)
        return float(values) if values.ndim == 0 else values.astype(w.dtype, copy=False)
    return xp.as_tensor(values, dtype=w.dtype, device=w.device)


def entrywise(values, w, what: str):
    """`values` like `w`; ValueError if their shape does not broadcast to that of `w`."""
    values = like(values, w)
    if isinstance(values, (int, float)):
        return values
    given, wanted = tuple(values.shape), tuple(w.shape)
    fits = len(given) <= len(wanted) and all(m in (1, n) for m, n in zip(given[::-1], wanted[::-1], strict=False))
    if not fits:
        raise ValueError(f"Expected {what} of shape {wanted}, or one that broadcasts to it, got {given}")
    return values


def by_position(values, what: str):
    """`values`; ValueError for a Series whose labels are not 0, 1, 2, …, since a penalty knows positions and no names."""
    labels = getattr(values, "index", None)
    if labels is not None and hasattr(labels, "tolist") and labels.tolist() != list(range(len(values))):
        raise ValueError(
            f"Expected {what} in the order of the columns, got a Series with labels such as {labels.tolist()[0]!r}, which a "
            "penalty cannot match to columns; reorder it and pass an array, or use penalty_factors for factors"
        )
    return values


def step_like(step, w):
    """A prox step: a number ≥ 0, or an array of the shape of `w` (one step per entry)."""
    step = entrywise(step, w, "prox steps")
    if isinstance(step, (int, float)):
        if not step >= 0:
            raise ValueError(f"Expected a prox step ≥ 0, got {step}")
    elif namespace(w) is np and not (step >= 0).all():
        raise ValueError("Expected prox steps ≥ 0, got a negative or NaN entry")
    return step


def clip(x, low, high):
    """x limited to [low, high], numbers or arrays; NaN kept."""
    xp = namespace(x)
    if xp is np:
        return np.clip(x, low, high)
    mixed = isinstance(low, (int, float)) != isinstance(high, (int, float))
    return xp.clamp(xp.clamp(x, min=low), max=high) if mixed else xp.clamp(x, low, high)


def soft_threshold(x, threshold):
    """sign(x) · max(|x| − threshold, 0), as x − clip(x): no division, and exactly 0 where |x| ≤ threshold."""
    return x - clip(x, -threshold, threshold)


def soft_threshold_to(x, point, threshold):
    """The soft threshold of x − point, measured from `point`: exactly `point` where |x − point| ≤ threshold."""
    if point is None:
        return soft_threshold(x, threshold)
    away = x - point
    # x + 0·away has the shape of the result; a threshold of 0 leaves x as it is, to the last bit.
    return namespace(x).where(abs(away) <= threshold, point, x - clip(away, -threshold, threshold))


def vector_norm(x, axes):
    """Euclidean norm over `axes`; torch's has subgradient 0 at 0, so autograd of a zero group is 0 and not NaN."""
    xp = namespace(x)
    if xp is not np:
        # torch's norm of a distributed tensor is wrong without a word where an axis is sharded.
        return xp.linalg.vector_norm(whole(x), dim=axes)
    # Squares in float64: 1e30 in float32 is an honest weight, its square is not. An infinite norm shrinks by nothing.
    with np.errstate(over="ignore"):
        return np.linalg.vector_norm(double(x), axis=axes).astype(x.dtype, copy=False)


def double(x):
    """x in float64."""
    return x.astype(np.float64, copy=False) if namespace(x) is np else x.double()


def cast(x, w):
    """x in the dtype of w."""
    return x.astype(w.dtype, copy=False) if namespace(w) is np else x.to(w.dtype)


def sign(x):
    """−1, 0 or 1, NaN kept (torch's own sign of NaN is 0)."""
    xp = namespace(x)
    return xp.sign(x) if xp is np else xp.sign(x) + 0.0 * x.clip(-1.0, 1.0)


def positive_part(x):
    """max(x, 0), NaN kept."""
    return x.clip(0.0)


def number_or_scalar(x):
    """A NumPy scalar as float; a torch scalar stays a tensor, so that autograd can go through it.

    A distributed tensor is gathered first, because ``float()`` of it would be this process's part of a sum.
    """
    return float(x) if namespace(x) is np else whole(x)


def whole(x):
    """A distributed tensor gathered from all its parts; any other tensor unchanged."""
    return x.full_tensor() if hasattr(x, "full_tensor") else x


def mask_like(mask, w):
    """A NumPy mask as an array of w's kind."""
    xp = namespace(w)
    return mask if xp is np else xp.as_tensor(np.ascontiguousarray(mask), device=w.device)


def as_numpy(values) -> np.ndarray:
    """Any array, tensor or number as a float64 NumPy array; a distributed tensor as a whole."""
    if namespace(values) is np:
        return np.asarray(values, dtype=float)
    return whole(values).detach().double().cpu().numpy()


def numbered(labels, names):
    """(numbers of the labels, their names) of an array of texts, in sorted order; anything else as an array."""
    labels = np.asarray(by_position(labels, "group labels"))
    if not labels.size or not all(isinstance(label, str) for label in labels.flat):
        return labels, names
    names, numbers = np.unique(labels.astype(str), return_inverse=True)
    return numbers.reshape(labels.shape), names


def as_float(value) -> float:
    """`float(value)`; a whole number beyond the floats is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
