"""One code for NumPy arrays and torch tensors: the few places where the two libraries differ."""

from __future__ import annotations

import sys

import numpy as np


def namespace(w):
    """The library that `w` belongs to: torch for tensors, NumPy for everything else. Never imports torch."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and isinstance(w, torch.Tensor) else np


def weights_array(w):
    """`w` as it is when it is a floating array or tensor; else one sentence (an integer array cannot hold a prox)."""
    xp = namespace(w)
    if xp is np:
        w = np.asarray(w)
        floating = np.issubdtype(w.dtype, np.floating)
    else:
        floating = w.dtype.is_floating_point
    if not floating:
        raise TypeError(f"expected floating-point weights, got {w.dtype}; convert them first, e.g. w.astype(float)")
    return w


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


def step_like(step, w):
    """A prox step: a number ≥ 0, or an array of the shape of `w` (one step per entry)."""
    if isinstance(step, (int, float)) and not step >= 0:
        raise ValueError(f"expected a prox step ≥ 0, got {step}")
    step = like(step, w)
    if namespace(w) is np and isinstance(step, np.ndarray) and not (step >= 0).all():
        raise ValueError("expected prox steps ≥ 0, got a negative or NaN entry")
    return step


def soft_threshold(x, threshold):
    """sign(x) · max(|x| − threshold, 0), as x − clip(x): no division, and exactly 0 where |x| ≤ threshold."""
    xp = namespace(x)
    if xp is np:
        return x - np.clip(x, -threshold, threshold)
    return x - xp.clamp(x, -threshold, threshold)


def vector_norm(x, axes):
    """Euclidean norm over `axes`; torch's has subgradient 0 at 0, so autograd of a zero group is 0 and not NaN."""
    xp = namespace(x)
    if xp is not np:
        return xp.linalg.vector_norm(x, dim=axes)
    # Squares in float64: 1e30 in float32 is an honest weight, its square is not. An infinite norm shrinks by nothing.
    with np.errstate(over="ignore"):
        return np.linalg.vector_norm(double(x), axis=axes).astype(x.dtype, copy=False)


def double(x):
    """x in float64."""
    return x.astype(np.float64, copy=False) if namespace(x) is np else x.double()


def cast(x, w):
    """x in the dtype of w."""
    return x.astype(w.dtype, copy=False) if namespace(w) is np else x.to(w.dtype)


def positive_part(x):
    """max(x, 0), NaN kept."""
    return x.clip(0.0)


def number_or_scalar(x):
    """A NumPy scalar as float; a torch scalar stays a tensor, so that autograd can go through it."""
    return float(x) if namespace(x) is np else x
