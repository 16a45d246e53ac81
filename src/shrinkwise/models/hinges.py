"""Piecewise-linear functions of single features, constant outside the range that was learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Hinges:
    """The terms of an additive model on encoded features.

        h_k(x) = max(0, min(x_j, top_k) − knot_k) − max(0, min(0, top_k) − knot_k),    j = source_k

    The first knot of a feature is the lowest value that was learned, and its top the highest: below and above them its
    terms are constant. Every term is 0 at x = 0, the mean of a dense feature, so that the terms of a sparse matrix are
    sparse and the intercept is the prediction for a row whose features are all 0.

    Attributes
    ----------
    sources : (m,) int, ascending; the feature of each term. Every feature has at least one.
    knots, tops : (m,) float; knots ascend within a feature.
    """

    sources: np.ndarray
    knots: np.ndarray
    tops: np.ndarray

    @classmethod
    def of(cls, arrays: dict[str, np.ndarray]) -> Hinges:
        """From their `arrays`."""
        found = cls(arrays["sources"], arrays["knots"], arrays["tops"])
        if not len(found.sources) == len(found.knots) == len(found.tops) == arrays["coef"].shape[-1]:
            raise ValueError("The hinges have different sizes")
        if len(found.sources) and (found.sources[0] != 0 or not np.isin(np.diff(found.sources), (0, 1)).all()):
            raise ValueError("The hinges are not those of consecutive features")
        return found

    def arrays(self) -> dict[str, np.ndarray]:
        """All arrays by name."""
        return {"sources": self.sources, "knots": self.knots, "tops": self.tops}

    @property
    def at_zero(self) -> np.ndarray:
        """What is subtracted so that every term is 0 at x = 0, (m,)."""
        return np.maximum(np.minimum(self.tops, 0.0) - self.knots, 0.0)

    def take(self, some: np.ndarray) -> Hinges:
        """Some of the terms."""
        return Hinges(self.sources[some], self.knots[some], self.tops[some])

    def by_feature(self, values: np.ndarray) -> np.ndarray:
        """The sums over the terms of each feature: (…, m) to (…, number of features)."""
        starts = np.flatnonzero(np.diff(self.sources, prepend=-1))
        return np.add.reduceat(values, starts, axis=-1) if len(starts) else values

    def terms(self, X: Any) -> Any:
        """The values of all terms, (n, m): an array, or a sparse matrix where X is one."""
        if hasattr(X, "tocsc"):
            return self._sparse_terms(X)
        found = np.empty((len(X), len(self.sources)), order="F")
        parts = zip(self.sources.tolist(), self.knots, self.tops, self.at_zero, strict=True)
        for k, (j, knot, top, zero) in enumerate(parts):
            found[:, k] = np.maximum(np.minimum(X[:, j], top) - knot, 0.0) - zero
        return found

    def _sparse_terms(self, X: Any) -> Any:
        found = X.tocsc()[:, self.sources]
        k = np.repeat(np.arange(len(self.sources)), np.diff(found.indptr))
        found.data = np.maximum(np.minimum(found.data, self.tops[k]) - self.knots[k], 0.0) - self.at_zero[k]
        found.eliminate_zeros()
        return found.tocsr()
