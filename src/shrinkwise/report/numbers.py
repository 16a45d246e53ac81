"""How numbers are written for people: few digits, a true minus sign, "–" where there is no number."""

from __future__ import annotations

import math
from typing import TypeGuard

MISSING = "–"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def finite(value: float | None) -> TypeGuard[float]:
    """Whether `value` is a number one can print: not None, NaN or infinite."""
    return value is not None and math.isfinite(value)


def number(value: float | None, digits: int = 3) -> str:
    """`value` to `digits` significant digits: 0.0312, 1,234, 1.2 × 10⁻⁷, or "–".

    >>> number(-0.031249), number(12345), number(float("nan"))
    ('−0.0312', '12,345', '–')
    """
    if not finite(value):
        return MISSING
    rounded = float(f"{value:.{digits}g}")
    if rounded == 0:
        return "0"
    exponent = math.floor(math.log10(abs(rounded)))
    if -4 <= exponent < 7:
        return fixed(value, max(0, digits - 1 - exponent))
    mantissa, power = f"{rounded:.{digits - 1}e}".split("e")
    return f"{mantissa.replace('-', '−')} × 10{str(int(power)).translate(_SUPERSCRIPT)}"


def fixed(value: float, decimals: int, sign: str = "") -> str:
    """`value` with so many decimals; `sign="+"` writes the plus of positive numbers too, never a minus before zero."""
    written = f"{value:{sign},.{decimals}f}"
    if not written.strip("+-0.,"):
        written = written.lstrip("+-")
    return written.replace("-", "−")


def count(value: int | None) -> str:
    """A whole number with its thousands set apart, or "–"."""
    return MISSING if value is None else f"{value:,}"


def plus_minus(value: float | None, error: float | None) -> str:
    """`value ± error`, both cut where the second digit of the error stands.

    >>> plus_minus(0.45163, 0.03071)
    '0.452 ± 0.031'
    """
    if not finite(value) or not finite(error):
        return number(value, 4)
    decimals = _decimals(error, value)
    if decimals is None:
        return f"{number(value, 4)} ± {number(error, 2)}"
    return f"{fixed(value, decimals)} ± {fixed(error, decimals)}"


def interval(mean: float | None, low: float | None, high: float | None) -> str:
    """`mean [low, high]` with signs, cut where the second digit of the half width stands.

    >>> interval(-0.461, -0.602, -0.313)
    '−0.46 [−0.60, −0.31]'
    """
    if not (finite(mean) and finite(low) and finite(high)):
        return number(mean)
    decimals = _decimals((high - low) / 2, max(abs(low), abs(high)))
    if decimals is None:
        return f"{number(mean)} [{number(low)}, {number(high)}]"
    return f"{fixed(mean, decimals, '+')} [{fixed(low, decimals, '+')}, {fixed(high, decimals, '+')}]"


def copyable(value: float | None) -> str:
    """`value` to 4 significant digits as a spreadsheet reads it: an ASCII minus sign, no thousands separator."""
    return f"{value:.4g}" if finite(value) else MISSING


def rounded(value: float, digits: int = 4) -> float | int | None:
    """`value` to so many significant digits for JSON, None where it is no number; a value that is not zero stays so."""
    if not math.isfinite(value):
        return None
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def _decimals(error: float, value: float) -> int | None:
    """Decimals that show two digits of `error`; None where plain decimals would be longer than a table cell."""
    if error <= 0:
        return 3 if abs(value) < 1e6 else None
    decimals = max(0, 1 - math.floor(math.log10(error)))
    return decimals if decimals <= 6 and abs(value) < 1e6 else None
