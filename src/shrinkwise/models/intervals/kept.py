"""The intervals of a kept model as plain arrays: a low and a high for numbers, a set of labels for classes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from shrinkwise.tables import InputError

# The levels for which quantiles are stored; one in between is rounded up.
LEVELS = np.arange(500, 991, 5) / 1000


@dataclass(frozen=True)
class Spread:
    """The expected |error| of a prediction f from standardised features x:

        σ(x, f) = exp( b + Σ_m v_m h_m(z) + Σ_j w_j x_j ),   z = (f − centre) / scale,   h = (z, max(0, z − knot), …)

    with the exponent limited to [low, high], the range over the training rows, so that σ cannot grow beyond what was
    seen. coef (q,) is 0 for features without a weight in the model; slopes (1 + number of knots,).
    """

    coef: np.ndarray
    slopes: np.ndarray
    knots: np.ndarray
    scalars: np.ndarray  # b, centre, scale, low, high

    def at(self, X: Any, output: np.ndarray) -> np.ndarray:
        """σ (n,) for encoded rows X (n, q) and their predictions (n,)."""
        b, _, _, low, high = self.scalars
        exponent = b + self.hinges(output) @ self.slopes + X @ self.coef
        return np.exp(np.clip(exponent, low, high))

    def hinges(self, output: np.ndarray) -> np.ndarray:
        """h (n, 1 + number of knots)."""
        z = (output - self.scalars[1]) / self.scalars[2]
        return np.column_stack([z, np.maximum(0.0, z[:, None] - self.knots)])


@dataclass(frozen=True)
class NumberIntervals:
    """[f + low · σ, f + high · σ] for a prediction f; low and high (T, L) hold one multiple for each of `LEVELS`.

    They are quantiles of held-out residuals divided by σ; without a spread σ is 1. T is 1, or 3 for predictions up to
    edges[0], up to edges[1] and above. limits are the lowest and the highest value that the target can take (∓∞ if open).
    whole: whether the target is whole numbers, so that low is rounded up and high down. units: how many held-out rows or
    groups the quantiles are from.
    """

    kind: ClassVar[str] = "numbers"
    units: str
    low: np.ndarray
    high: np.ndarray
    limits: np.ndarray
    edges: np.ndarray
    whole: bool = False
    spread: Spread | None = None

    @property
    def supported(self) -> np.ndarray:
        """The levels that the rows support."""
        return LEVELS[np.isfinite(self.high - self.low).all(axis=0)]

    def at(self, X: Any, output: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
        """The low and the high (n,) of encoded rows X with predictions `output`, at a level such as 0.9."""
        place = _place(level, self.supported, self.units)
        sigma = 1.0 if self.spread is None else self.spread.at(X, output)
        part = np.searchsorted(self.edges, output)
        low, high = output + self.low[part, place] * sigma, output + self.high[part, place] * sigma
        return rounded(np.clip(low, *self.limits), np.clip(high, *self.limits), self.whole)

    def arrays(self) -> dict[str, np.ndarray]:
        """All its arrays by name."""
        own = {
            "low": self.low,
            "high": self.high,
            "limits": self.limits,
            "edges": self.edges,
            "whole": np.array(self.whole),
        }
        spread = self.spread
        return own if spread is None else own | {f"spread {f.name}": getattr(spread, f.name) for f in fields(spread)}

    @classmethod
    def of(cls, units: str, arrays: dict[str, np.ndarray]) -> NumberIntervals:
        """From its units and `arrays`."""
        spread = {name.removeprefix("spread "): array for name, array in arrays.items() if name.startswith("spread ")}
        low, high, limits, edges = (arrays[name] for name in ("low", "high", "limits", "edges"))
        return cls(units, low, high, limits, edges, bool(arrays["whole"]), Spread(**spread) if spread else None)


@dataclass(frozen=True)
class LabelSets:
    """Sets of labels: those with a probability of at least 1 − t, and always the most probable one.

    most (L,) holds t for each of `LEVELS`: the quantile of 1 − the probability of the true class on held-out rows.
    """

    kind: ClassVar[str] = "classes"
    units: str
    most: np.ndarray

    @property
    def supported(self) -> np.ndarray:
        """The levels that the rows support."""
        return LEVELS[np.isfinite(self.most)]

    def at(self, X: Any, output: np.ndarray, level: float) -> np.ndarray:
        """Which labels (n, K) are in the set of each row of probabilities."""
        return members(output, self.most[_place(level, self.supported, self.units)])

    def arrays(self) -> dict[str, np.ndarray]:
        """All its arrays by name."""
        return {"most": self.most}

    @classmethod
    def of(cls, units: str, arrays: dict[str, np.ndarray]) -> LabelSets:
        """From its units and `arrays`."""
        return cls(units, arrays["most"])


INTERVALS: dict[str, type[NumberIntervals] | type[LabelSets]] = {
    kind.kind: kind for kind in (NumberIntervals, LabelSets)
}


def rounded(low: np.ndarray, high: np.ndarray, whole: bool) -> tuple[np.ndarray, np.ndarray]:
    """The whole numbers at the ends of an interval of counts, which contains the same counts; other intervals as given."""
    return (np.ceil(low - 1e-9) + 0.0, np.floor(high + 1e-9) + 0.0) if whole else (low, high)  # + 0.0: no -0.0


def members(output: np.ndarray, most: np.ndarray | float) -> np.ndarray:
    """Which labels (n, K) have a probability of at least 1 − most, or the largest probability of their row."""
    found = 1 - output <= np.reshape(most, (-1, 1))
    found[np.arange(len(output)), output.argmax(axis=1)] = True
    return found


def label_lists(classes: list[str], members: np.ndarray) -> list[list[str]]:
    """The labels of each row of `members` (n, K)."""
    return [[name for name, inside in zip(classes, row, strict=True) if inside] for row in members.tolist()]


def frame_like(given: Any, columns: dict[str, Any]) -> Any:
    """The columns as a data frame of the library that `given` is of; polars for anything else."""
    import narwhals as nw

    frame = nw.from_native(given, eager_only=True, pass_through=True)
    return nw.from_dict(
        columns, backend=frame.implementation if isinstance(frame, nw.DataFrame) else "polars"
    ).to_native()


def checked_level(level: Any) -> float:
    """A level between 0.5 and 0.99; TypeError or InputError otherwise."""
    expected = "Expected the level of the intervals to be a number between 0.5 and 0.99, such as 0.9"
    if isinstance(level, bool) or not isinstance(level, Real):
        raise TypeError(f"{expected}, got {level!r}.")
    if not LEVELS[0] <= float(level) <= LEVELS[-1]:
        raise InputError(f"{expected}, got {float(level):g}.")
    return float(level)


def _place(level: Any, supported: np.ndarray, units: str) -> int:
    """Where in LEVELS the smallest level of at least `level` stands."""
    level = checked_level(level)
    place = int(np.searchsorted(LEVELS, level - 1e-12))
    if LEVELS[place] not in supported:
        most = f"at most {supported[-1]:g}" if len(supported) else "no level"
        raise InputError(f"Intervals at the level {level:g} need more rows: the {units} of this model support {most}.")
    return place
