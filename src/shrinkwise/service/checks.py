"""Checks of a single setting: each takes its name and value, and returns the value in a canonical form.

A value of the wrong type is a TypeError, one outside its range an InputError (a ValueError); both are one sentence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from shrinkwise.tables.errors import InputError
from shrinkwise.tables.reading.files import path_of

Check = Callable[[str, Any], Any]


def table(_: str, value: Any) -> Any:
    """Any value, as a table is checked when it is read; the name of a file must be text that can be written down."""
    if isinstance(value, str | Path):
        try:
            str(path_of(value)).encode()
        except UnicodeEncodeError:
            shown = str(value).encode("utf-8", "replace").decode()
            raise InputError(f"The name of the file {shown} is not valid UTF-8; rename the file.") from None
    return value


def text(expected: str) -> Check:
    """A text that is not empty."""

    def check(name: str, value: Any) -> str:
        if not isinstance(value, str):
            raise _type_error(name, expected, value)
        if not value.strip():
            raise _value_error(name, expected, value)
        return value

    return check


def column(name: str, value: Any) -> str:
    """The name of a column; a number or a tuple, which names one in pandas, as text."""
    if not _is_name(value):
        raise _type_error(name, "the name of a column", value)
    return str(value)


def columns(name: str, value: Any) -> tuple[str, ...]:
    """One name, or several."""
    if isinstance(value, Integral) and not isinstance(value, bool):
        return (str(value),)
    if isinstance(value, list | tuple | set | frozenset):
        value = [str(each) if _is_name(each) else each for each in value]
    return _names(name, value, "a list of column names")


def methods(name: str, value: Any) -> tuple[str, ...]:
    """One method, or several; the comparison checks that they exist."""
    return _names(name, value, "a list of methods such as ('ridge', 'lasso')")


def one_of(*choices: str) -> Check:
    """One of the given words."""
    listed = ", ".join(map(repr, choices[:-1])) + f" or {choices[-1]!r}"

    def check(name: str, value: Any) -> str:
        if not isinstance(value, str):
            raise _type_error(name, listed, value)
        if value not in choices:
            raise _value_error(name, listed, value)
        return value

    return check


def flag(name: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise _type_error(name, "True or False", value)
    return value


def whole(least: int, most: float = math.inf) -> Check:
    """A whole number of at least `least` and at most `most`."""
    expected = f"a whole number of at least {least}" + ("" if most == math.inf else f" and at most {most}")

    def check(name: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise _type_error(name, expected, value)
        if not least <= int(value) <= most:
            raise _value_error(name, expected, value)
        return int(value)

    return check


def real(low: float, high: float = math.inf, unit: str = "") -> Check:
    """A finite number in [low, high]."""
    limits = f"of at least {low:g}" if high == math.inf else f"between {low:g} and {high:g}"
    expected = f"a number {limits}{unit}"

    def check(name: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, Real):
            raise _type_error(name, expected, value)
        number = float(value)
        if not (low <= number <= high and math.isfinite(number)):
            raise _value_error(name, expected, value)
        return number

    return check


def ratios(name: str, value: Any) -> tuple[float, ...]:
    """Numbers between 0 and 1."""
    if not isinstance(value, list | tuple) or not value:
        raise _type_error(name, "a list of numbers between 0 and 1", value)
    return tuple(real(0, 1)(f"each value of {name}", each) for each in value)


def factors(name: str, value: Any) -> dict[str, float]:
    """{input: factor}."""
    expected = "a dict from input to a number ≥ 0, such as {'age': 2.0}"
    return {key: real(0)(f"the factor of {key!r} in {name}", each) for key, each in _items(name, value, expected)}


def bounds(name: str, value: Any) -> dict[str, tuple[float, float]]:
    """{input: (low, high)}; use ∓infinity for an open side."""
    expected = "a dict from input to a pair (low, high), such as {'age': (0.0, 1.5)}"
    return {key: _pair(f"the bounds of {key!r}", each) for key, each in _items(name, value, expected)}


def network(name: str, value: Any) -> Any:
    """A NetworkOptions, "effort", or None for no networks."""
    if value is None or (isinstance(value, str) and value == "effort"):
        return value
    from shrinkwise.compare.options import NetworkOptions

    if isinstance(value, NetworkOptions):
        return value
    raise _type_error(
        name, "a shrinkwise.compare.NetworkOptions, 'effort' for those of the effort, or None for no networks", value
    )


def _is_name(value: Any) -> bool:
    return isinstance(value, str | Integral | tuple) and not isinstance(value, bool)


def _names(name: str, value: Any, expected: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list | tuple | set | frozenset):
        raise _type_error(name, expected, value)
    wrong = [each for each in value if not isinstance(each, str)]
    if wrong:
        raise TypeError(f"Expected {name} to be {expected}, but it has {_shown(wrong[0])}.")
    return tuple(value)


def _items(name: str, value: Any, expected: str) -> list[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        raise _type_error(name, expected, value)
    wrong = [key for key in value if not _is_name(key)]
    if wrong:
        raise TypeError(f"Expected {name} to be {expected}, but it has the key {_shown(wrong[0])}.")
    return [(str(key), each) for key, each in value.items()]


def _pair(name: str, value: Any) -> tuple[float, float]:
    expected = "a pair of numbers (low, high), such as (0.0, 1.5)"
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise TypeError(f"Expected {name} to be {expected}, got {_shown(value)}.")
    if any(isinstance(side, bool) or not isinstance(side, Real) for side in value):
        raise TypeError(f"Expected {name} to be {expected}, got {_shown(value)}.")
    low, high = map(float, value)
    if math.isnan(low) or math.isnan(high):
        raise InputError(f"Expected {name} to be {expected}, got {_shown(value)}.")
    return low, high


def _type_error(name: str, expected: str, value: Any) -> TypeError:
    return TypeError(f"Expected {name} to be {expected}, got {_shown(value)}.")


def _value_error(name: str, expected: str, value: Any) -> InputError:
    return InputError(f"Expected {name} to be {expected}, got {_shown(value)}.")


def _shown(value: Any) -> str:
    """The value, shortened for use in a sentence."""
    if isinstance(value, str | Path):
        return f"the text {str(value)[:60]!r}"
    written = " ".join(repr(value).split())
    return written if len(written) <= 60 else f"an object of type {type(value).__name__}"
