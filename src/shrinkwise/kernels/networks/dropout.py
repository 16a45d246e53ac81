"""Dropout on raw memory: the compiled kernel takes addresses, for at a thousand elements wrapping arrays would cost more."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

from shrinkwise.kernels import pool
from shrinkwise.kernels.library import DISPATCH, declare, library

_INT, _ADDRESS = ctypes.c_int64, ctypes.c_void_p
declare(
    "sw_dropout",
    _INT,
    *(_INT, _INT, _INT, _ADDRESS, _ADDRESS, _ADDRESS, _INT, _INT, _INT, ctypes.c_double, _INT, _INT, _ADDRESS),
)
declare("sw_dropout_small", None, _INT, _INT, _ADDRESS, _ADDRESS, _INT, _INT, ctypes.c_double)
declare(
    "sw_dropout_rows",
    None,
    *(_INT, _INT, _INT, _INT, _INT, _INT, _ADDRESS, _INT, _INT, ctypes.c_double, _INT, _ADDRESS),
)
declare(
    "sw_softmax_dropout",
    _INT,
    *(_INT, _INT, _INT, _INT, _INT, _ADDRESS, _ADDRESS, _INT, _INT, ctypes.c_double, _INT, _ADDRESS),
)

SCALE, RESIDUAL, BIAS_RELU, RELU_BACK, MASK = (4 * operation for operation in range(5))
F32: int = 0
F64: int = 1
BF16: int = 2
F16: int = 3
AUTO, PLAIN, NEON, AVX2, AVX512 = range(5)


@cache
def compiled() -> Any:
    """The C function, or None where no kernel is built.

    Arguments, all integers but keep: operation + type; number of elements; index of the first; addresses of the input, the
    output and the second input (the residual, the bias or the output of the forward pass; 0 where there is none); length
    of the bias; seed; stream; keep; instruction set (AUTO or one of the names above); `threads`; `openmp`.
    Returns the instruction set that ran. The caller keeps the memory alive and answers for types and lengths.
    """
    return getattr(library(), "sw_dropout", None)


@cache
def small() -> Any:
    """The C function, or None, for SCALE alone on one thread: half the arguments, for passing them is most of a small call.

    Arguments: type; number of elements; addresses of the input and the output; seed; stream; keep.
    """
    return getattr(library(), "sw_dropout_small", None)


@cache
def softmax() -> Any:
    """The C function for rows of float32 attention scores, in place: thinned exponentials, and a factor per row.

    Arguments: numbers of rows and of columns; how far the index grows from row to row; number of columns that the first row
    sees, each row one more than the last; index of the first element; addresses of the scores and of the factors (one
    float32 per row); seed; stream; keep; `threads`; `openmp`. Factor · row is dropout(softmax(scores)), 0 where a row
    does not attend. Returns 0 without doing anything on a CPU without AVX-512.
    """
    return getattr(library(), "sw_softmax_dropout", None)


@cache
def rows() -> Any:
    """The C function, or None, for SCALE of a contiguous matrix in place, its rows apart in the draw.

    Arguments: type; numbers of rows and of columns; step, columns seen and first index as in `softmax`; address; seed;
    stream; keep; `threads`; `openmp`.
    """
    return getattr(library(), "sw_dropout_rows", None)


@cache
def openmp() -> int:
    """Address of the three OpenMP functions that the kernel's threads need, 0 where there are none."""
    found = pool.openmp()
    if found is None:
        return 0
    _kept_alive.append((ctypes.c_void_p * len(found))(*found))
    return ctypes.addressof(_kept_alive[-1])


_kept_alive: list = []

# The bits are specified, and made without a compiler, in shrinkwise.dropout.bits: that is this kernel's reference.
DISPATCH["dropout"] = (None, lambda *arguments: compiled()(*arguments))
