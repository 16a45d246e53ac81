"""Delimited text of numbers as columns of float64."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from functools import cache

import numpy as np

from shrinkwise.kernels.library import F64, I64, declare, loaded_library, register, run

_U64: type = np.ctypeslib.ndpointer(np.uint64, flags="C_CONTIGUOUS")
_INT = ctypes.c_int64
declare("sw_numbers_of_text", _INT, ctypes.c_char_p, _INT, _INT, _INT, I64, _U64, _INT, _INT, F64, _INT, I64)

_NUMBER = re.compile(rb"-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,4}))?")
_MOST_DIGITS = 19  # a number of so many digits is less than 2**64
_LEAST, _MOST = -100, 100  # powers of ten, with which no such number is too small or too large for a double


def numbers_of_text(text: bytes, delimiter: str, wanted: Sequence[bool]) -> tuple[np.ndarray, np.ndarray] | None:
    """The fields of text with a row a line and ``len(wanted)`` fields a row, as (values (p, n), empty fields (p,)).

    Values are those of the p wanted fields, the nearest float64 to -ddd.ddde±dd; an empty field is NaN. None if a row has
    another number of fields, or a wanted one is not such a number, has more than 19 digits, or is these times a power of ten
    beyond 10^±100, and in the rare case that the compiled kernel cannot tell which of two float64 is nearer.
    """
    return run("numbers_of_text", text, delimiter, wanted)


def numbers_of_text_reference(text: bytes, delimiter: str, wanted: Sequence[bool]):
    """By `float`, a field after the other."""
    rows = []
    for line in text.removesuffix(b"\n").split(b"\n"):
        fields = line.removesuffix(b"\r").split(delimiter.encode())
        cells = [field for field, is_wanted in zip(fields, wanted, strict=False) if is_wanted]
        if len(fields) != len(wanted) or fields == [b""] or not all(not cell or _is_plain(cell) for cell in cells):
            return None
        rows.append([float(cell) if cell else np.nan for cell in cells])
    values = np.array(rows).reshape(len(rows), sum(wanted)).T.copy()
    return values, np.isnan(values).sum(1)


def _is_plain(cell: bytes) -> bool:
    found = _NUMBER.fullmatch(cell)
    if found is None:
        return False
    whole, fraction, power = (part or b"" for part in found.groups())
    digits = (whole + fraction).lstrip(b"0")
    return not digits or (len(digits) <= _MOST_DIGITS and _LEAST <= int(power or 0) - len(fraction) <= _MOST)


def _compiled(text: bytes, delimiter: str, wanted: Sequence[bool]):
    places = np.where(wanted, np.cumsum(wanted) - 1, -1)
    n = text.count(b"\n") + (not text.endswith(b"\n"))
    values, gaps = np.empty((int(np.sum(wanted)), n)), np.zeros(int(np.sum(wanted)), dtype=np.int64)
    size = (len(text), ord(delimiter), len(wanted))
    found = loaded_library().sw_numbers_of_text(text, *size, places, _powers(), _LEAST, _MOST, values, n, gaps)
    return (values, gaps) if found == n else None


@cache
def _powers() -> np.ndarray:
    """The first 128 bits of 5**q as two words, for q from _LEAST to _MOST."""
    words = []
    for q in range(_LEAST, _MOST + 1):
        bits = (5 ** abs(q)).bit_length()
        power = ((5**q << 128) >> bits) if q >= 0 else (1 << 127 + bits) // 5**-q
        words += [power >> 64, power & (1 << 64) - 1]
    return np.array(words, dtype=np.uint64)


register("numbers_of_text", numbers_of_text_reference, _compiled)
