"""The loss of many classes, for arrays class by class, (K, n): softmax, its curvature, its conjugate."""

from __future__ import annotations

import ctypes

import numpy as np

from shrinkwise.kernels.library import F64, I64, declare, loaded_library, register, run

_SIZES = (ctypes.c_int64, ctypes.c_int64)
declare("sw_softmax", None, *_SIZES, ctypes.c_int64, *(ctypes.c_void_p,) * 4)
declare("sw_softmax_curvature", None, *_SIZES, ctypes.c_int64, *(ctypes.c_void_p,) * 3)
declare("sw_to_simplex", None, *_SIZES, I64, F64)
declare("sw_softmax_conjugate", None, *_SIZES, I64, ctypes.c_double, F64, F64)

_AT_ONCE = 30_000  # entries in one pass of several operations of the reference: few enough to stay in the cache


def _pieces(by_class):
    K, n = by_class.shape
    step = max(64, _AT_ONCE // K)
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]


def reference_softmax(eta, y=None):
    """(log Σ e^η − η_y, softmax(η) − onehot(y)) by one exponential; (None, softmax(η)) without y."""
    value, g = np.empty(eta.shape[1]), np.empty_like(eta)
    for rows in _pieces(eta):
        part, here = eta[:, rows], g[:, rows]
        top = part.max(0)
        np.exp(np.subtract(part, top, out=here), out=here)
        total = here.sum(0)
        here /= total
        if y is not None:
            own = y[rows], np.arange(here.shape[1])
            value[rows] = np.log(total) + (top - part[own])
            here[own] -= 1.0
    return (None if y is None else value), g


def reference_curvature(p, weights, x):
    """x ← weights p (x − Σ p x)."""
    x[...] = weights * p * (x - (p * x).sum(0))


def reference_to_simplex(y, v):
    """q = onehot(y) + v clipped at 0 and divided by its sum; v ← q − onehot(y)."""
    for rows in _pieces(v):
        part = v[:, rows]
        own = y[rows], np.arange(part.shape[1])
        part[own] += 1.0
        np.maximum(part, 0.0, out=part)
        total = part.sum(0)
        part[own] += total == 0.0
        part /= total + (total == 0.0)
        part[own] -= 1.0


def reference_conjugate(y, alpha: float, v):
    """Σ_k q_k log q_k with q = onehot(y) + αv."""
    total = np.empty(len(y))
    for rows in _pieces(v):
        q = alpha * v[:, rows]
        q[y[rows], np.arange(q.shape[1])] += 1.0
        # 0 log 0 = 0, and the smallest number in its place makes no other term.
        total[rows] = (q * np.log(np.maximum(q, 1e-300, out=q))).sum(0)
    return total


def _softmax(eta, y=None):
    K, n = eta.shape
    g, value = np.empty_like(eta), None if y is None else np.empty(n)
    addresses = [None if array is None else array.ctypes.data for array in (eta, y, value, g)]
    loaded_library().sw_softmax(K, n, int(eta.dtype == np.float32), *addresses)
    return value, g


def _curvature(p, weights, x):
    addresses = [array.ctypes.data for array in (p, weights, x)]
    loaded_library().sw_softmax_curvature(*x.shape, int(x.dtype == np.float32), *addresses)


def _to_simplex(y, v):
    loaded_library().sw_to_simplex(*v.shape, y, v)


def _conjugate(y, alpha, v):
    total = np.empty(len(y))
    loaded_library().sw_softmax_conjugate(*v.shape, y, alpha, v, total)
    return total


register("softmax", reference_softmax, _softmax)
register("softmax_curvature", reference_curvature, _curvature)
register("to_simplex", reference_to_simplex, _to_simplex)
register("softmax_conjugate", reference_conjugate, _conjugate)


def softmax(eta, y=None):
    """(log Σ e^η − η_y (n,), softmax(η) − onehot(y)) by one exponential; (None, softmax(η)) without y.

    Parameters
    ----------
    eta : (K, n), float64 or float32.
    y : (n,) classes 0, …, K−1, or None.
    """
    eta = np.ascontiguousarray(eta, dtype=np.float32 if eta.dtype == np.float32 else np.float64)
    return run("softmax", eta, None if y is None else _codes(y, *eta.shape))


def softmax_curvature(p, weights, x) -> None:
    """x ← weights p ∘ (x − Σ_k p_k x_k) for every row, in place: (diag(p) − pp')x, weighted.

    Parameters
    ----------
    p : (K, n) probabilities.
    weights : (n,) of the rows.
    x : (K, n), C-contiguous; all three of one precision, float64 or float32.
    """
    if x.dtype not in (np.float32, np.float64) or not (p.dtype == weights.dtype == x.dtype):
        raise ValueError("Expected p, weights and x in one precision, float32 or float64")
    if p.shape != x.shape or weights.shape != x.shape[1:] or not (p.flags.c_contiguous and x.flags.c_contiguous):
        raise ValueError(
            f"Expected p and x in C order, both {x.shape}, and {x.shape[1]} weights, got {p.shape} and {weights.shape}"
        )
    run("softmax_curvature", p, np.ascontiguousarray(weights), x)


def to_simplex(y, v):
    """onehot(y) + v moved to the simplex, less onehot(y): clipped at 0 and divided by its sum, (K, n)."""
    moved = np.array(v, dtype=np.float64, order="C")
    run("to_simplex", _codes(y, *moved.shape), moved)
    return moved


def softmax_conjugate(y, alpha: float, v):
    """Σ_k q_k log q_k (n,) with q = onehot(y) + αv on the simplex, v (K, n)."""
    return run("softmax_conjugate", _codes(y, *v.shape), float(alpha), np.ascontiguousarray(v, dtype=np.float64))


def _codes(y, K: int, n: int):
    y = np.ascontiguousarray(y, dtype=np.int64)
    if y.shape != (n,):
        raise ValueError(f"Expected the classes of {n} rows, got {y.shape}")
    if not (0 <= y.min(initial=0) and y.max(initial=0) < K):  # they are places in memory
        raise ValueError(f"Expected classes 0, …, {K - 1}, got {y.min()} to {y.max()}")
    return y
