"""A step of SGD or Adam(W) with its penalty, one pass over memory: jobs are addresses, for small tensors come in hundreds."""

from __future__ import annotations

import ctypes

import numpy as np

from shrinkwise.kernels import pool
from shrinkwise.kernels.library import DISPATCH, declare, layout, library, loaded_library

declare(
    "sw_optimizer",
    None,
    *(ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p),
)
PLAIN: int = 0
MAP: int = 1
PULL: int = 2
PROX: int = 3
SGD, MOMENTUM, ADAM = range(3)
CHUNK = 64

ARRAYS = ("x", "w", "m", "v", "g")
NUMBERS = (
    *("gain", "coupled", "slope", "decoupled", "keep", "take", "keep2", "take2", "direct", "through", "rate", "scale"),
    *("eps", "threshold", "shrink", "pace", "a", "b"),
)
JOB = np.dtype(
    [
        *((name, np.uint64) for name in ARRAYS),
        *(("size", np.int64), ("mode", np.int64)),
        *((name, np.float64) for name in NUMBERS),
        ("refused", np.int64),
    ]
)

layout("sw_optimizer_layout", JOB)


def compiled() -> bool:
    """Whether `optimizer` can be called: there is no formula in its place, for torch's own optimizers are that."""
    return library() is not None


def optimizer(algorithm: int, is_double: bool, jobs: list[tuple]) -> list[bool]:
    """One step for every job; see `optimizer_reference`. Returns, for each, whether its gradient was finite.

    Parameters
    ----------
    algorithm : SGD, MOMENTUM or ADAM
    is_double : whether all arrays are float64; else they are float32
    jobs : list of tuples
        Addresses of x, w, m, v, g (0 where there is none), size, mode, then NUMBERS. Arrays are dense and distinct, and of
        one order of memory within a job. The caller keeps them alive.
    """
    table = np.array([(*job, 0) for job in jobs], dtype=JOB)
    team = pool.team(int(table["size"].sum()))
    loaded_library().sw_optimizer(algorithm, is_double, len(jobs), table.ctypes.data, *team)
    return (table["refused"] == 0).tolist()


DISPATCH["optimizer"] = (None, optimizer)


def optimizer_reference(algorithm, mode, x, w, m, v, g, *, gain=1.0, coupled=0.0, slope=0.0, decoupled=0.0, **numbers):
    """The step by formula, in place; whether the gradient was finite. Arrays are flat; m, v and w may be None where unused.

    w is x itself (PLAIN, PROX), soft(x, threshold) · shrink (MAP) or as given (PULL); then

        d = gain·g + coupled·w + slope·(x − w)
        m ← keep·m + take·d                                       MOMENTUM, ADAM
        v ← keep2·v + take2·d²                                    ADAM
        r = 1, for ADAM 1/(√v·scale + eps)
        x ← x − decoupled·w − rate·r·y                            y = d (SGD), direct·d + through·m (MOMENTUM), m (ADAM)
        PROX: x ← soft(x, s·a)/(1 + s·b) with s = pace·r;   MAP: w ← soft(x, threshold)·shrink

    With a latent (MAP, PULL) every CHUNK of entries with one of which gain·g (for ADAM its square) is not finite stays.
    """
    n = dict.fromkeys(NUMBERS, 0.0) | {"shrink": 1.0} | numbers
    weight = {MAP: lambda: _soft(x, n["threshold"]) * n["shrink"], PULL: lambda: w}.get(mode, lambda: x)()
    moves = moving_chunks(g * gain, algorithm) if mode in (MAP, PULL) else np.ones(len(x), bool)
    with np.errstate(invalid="ignore", over="ignore"):
        d = gain * g + coupled * weight + (slope * (x - weight) if mode in (MAP, PULL) else 0.0)
        mean = None if algorithm == SGD else n["keep"] * m + n["take"] * d
        square = n["keep2"] * v + n["take2"] * d * d if algorithm == ADAM else None
        r = 1.0 if square is None else 1.0 / (np.sqrt(square) * n["scale"] + n["eps"])
        way = n["direct"] * d + n["through"] * mean if algorithm == MOMENTUM else d if mean is None else mean
        to = x - decoupled * weight - n["rate"] * r * way
        if mode == PROX:
            to = _soft(to, n["pace"] * r * n["a"]) / (1.0 + n["pace"] * r * n["b"])
    for array, values in ((x, to), (m, mean), (v, square)):
        if values is not None:
            array[moves] = values[moves]
    if mode == MAP:
        w[...] = _soft(x, n["threshold"]) * n["shrink"]
    return bool(moves.all())


def moving_chunks(d, algorithm: int):
    """Whether each entry of a flat array of gradients (NumPy or torch) is in a chunk that a step with a latent moves."""
    with np.errstate(invalid="ignore", over="ignore"):
        judged = d * d if algorithm == ADAM else d
        finite = judged - judged == 0
    chunks = [bool(finite[i : i + CHUNK].all()) for i in range(0, len(d), CHUNK)]
    return np.repeat(np.array(chunks, bool), CHUNK)[: len(d)]


def _soft(x, threshold):
    return x - np.clip(x, -threshold, threshold)
