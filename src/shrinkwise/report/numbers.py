"""Numbers for display: few digits, a true minus sign, "–" for a missing number.

One rule for all of them: plain digits with thousands separators if a table cell has room for them (from 0.0001 up to
ten million), else a power of ten.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import TypeGuard

MISSING = "–"
_PLAIN = 1e7
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_PRINTED = re.compile(r"(?<![\w.'\"])[-−]?\d(?:\.(\d+))?e[-+−]\d+(?![\w.'\"])")


def finite(value: float | None) -> TypeGuard[float]:
    """Whether `value` is a number that can be printed: not None, NaN or infinite."""
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
    if -4 <= exponent and abs(rounded) < _PLAIN:
        return fixed(value, max(0, digits - 1 - exponent))
    return fixed(_shifted(rounded, exponent), digits - 1) + _times(exponent)


def fixed(value: float, decimals: int, sign: str = "") -> str:
    """`value` with so many decimals; `sign="+"` also writes the plus of positive numbers, and never a minus before
    zero."""
    written = f"{value:{sign},.{decimals}f}"
    if not written.strip("+-0.,"):
        written = written.lstrip("+-")
    return written.replace("-", "−")


def spelled(text: str) -> str:
    """`text` with the numbers that a program printed (1.2e+03) written as `number` does; quoted text is unchanged.

    >>> spelled("λ = 1.2e+03"), spelled("λ = 4.4e-05")
    ('λ = 1,200', 'λ = 4.4 × 10⁻⁵')
    """
    return _PRINTED.sub(lambda found: number(float(found[0].replace("−", "-")), len(found[1] or "") + 1), text)


def setting(text: str | None) -> str:
    """A strength ("λ = 0.056, 10% L1") with line breaks only between its settings."""
    words = spelled(text or "").replace(" ", "\u00a0")
    return words.replace(",\u00a0", ", ").replace("\u00a0(", " (")


def counted(value: int, noun: str) -> str:
    """'1 input', '1,200 inputs'."""
    return f"{count(value)} {noun}" + ("" if value == 1 else "s")


def count(value: int | None) -> str:
    """A whole number with thousands separators, or "–"."""
    return MISSING if value is None else f"{value:,}"


def plus_minus(value: float | None, error: float | None) -> str:
    """`value ± error`, both rounded to the second digit of the error.

    >>> plus_minus(0.45163, 0.03071)
    '0.452 ± 0.031'
    """
    if not finite(value) or not finite(error):
        return number(value, 4)
    return _shared((value, error), error, "{} ± {}") or f"{number(value, 4)} ± {number(error, 2)}"


def interval(mean: float | None, low: float | None, high: float | None) -> str:
    """`mean [low, high]` with signs, rounded to the second digit of the half width.

    >>> interval(-0.461, -0.602, -0.313)
    '−0.46 [−0.60, −0.31]'
    """
    if not (finite(mean) and finite(low) and finite(high)):
        return number(mean)
    shown = _shared((mean, low, high), (high - low) / 2, "{} [{}, {}]", sign="+")
    return shown or f"{number(mean)} [{number(low)}, {number(high)}]"


def copyable(value: float | None) -> str:
    """`value` to 4 significant digits for a spreadsheet: with an ASCII minus sign and without thousands separators.

    >>> copyable(-108000.4), copyable(0.0000123)
    ('-108000', '0.0000123')
    """
    if not finite(value):
        return MISSING
    short = f"{value:.4g}"
    return f"{Decimal(short):f}" if 1e-9 <= abs(value) < 1e15 else short


def rounded(value: float, digits: int = 4) -> float | int | None:
    """`value` rounded to significant digits for JSON, None if it is not a number; a nonzero value stays nonzero."""
    if not math.isfinite(value):
        return None
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def _shared(values: tuple[float, ...], error: float, form: str, sign: str = "") -> str | None:
    """The values rounded to the second digit of their error, with a common power of ten if needed.

    None if their decimals would still be longer than a table cell.
    """
    largest = max(map(abs, values))
    decimals = _decimals(error)
    if decimals <= 6 and largest < _PLAIN:
        return form.format(*(fixed(v, max(0, decimals), sign) for v in values))
    power = math.floor(math.log10(largest)) if largest > 0 else 0
    decimals += power
    if power == 0 or not 0 <= decimals <= 6:
        return None
    written = form.format(*(fixed(_shifted(v, power), decimals, sign) for v in values))
    return f"({written}){_times(power)}"


def _decimals(error: float) -> int:
    """The number of decimals that shows two digits of `error`, three if there is no error."""
    return 1 - math.floor(math.log10(error)) if error > 0 else 3


def _shifted(value: float, power: int) -> float:
    """value / 10^power, where 10^power itself may not be representable as a float."""
    return float(Decimal(value).scaleb(-power))


def _times(power: int) -> str:
    return f" × 10{str(power).translate(_SUPERSCRIPT)}" if power else ""
