"""Piecewise-linear embeddings of numbers: each is replaced by its values in bins, and itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkwise.compare.options import CocktailOptions
from shrinkwise.models.hinges import Hinges

# The width of a bin, relative to the range of its feature, below which two edges are one but for rounding.
_NARROWEST = 1e-7
_ROWS_A_BIN = 5


@dataclass(frozen=True)
class Embedding:
    """The features of a network's first layer for encoded rows.

    With hinges, feature k is scale_k · h_k(x) (`Hinges`): for bins, the share of the bin below x, and for a number also its
    standardised value within the learned range. Without, the features are those of the encoder, clipped smoothly to limits.

    hinges : None for a table with too many numbers.
    scale : (E,), for bins 1/(width √(number of bins)), so that the bins of a feature together have the weight of one feature.
    sources : (E,) the column of the encoded rows that each feature is made of.
    limits : (2, q) the lowest and highest value of each column.
    n_bins : (E,) the number of bins that a feature is one of; 1 for a number as a whole and a column of one bin.
    """

    hinges: Hinges | None
    scale: np.ndarray
    sources: np.ndarray
    limits: np.ndarray
    n_bins: np.ndarray

    @classmethod
    def of(cls, X: np.ndarray, options: CocktailOptions) -> Embedding:
        """The bins of the columns of X (n, q): an edge at every distinct value up to `options.bins` bins, else at quantiles.

        For the quantiles a value that many rows share, such as the zero of a word's frequency, counts as one bin's rows:
        else it would take most of the edges. The bins of all columns are at most `options.terms`, shared evenly; if that
        is fewer than two a column, there are none.
        """
        limits = np.array([X.min(axis=0), X.max(axis=0)])
        distinct = [np.unique(column, return_counts=True) for column in X.T]
        sizes = np.array([len(values) - 1 for values, _ in distinct])
        most = _share(sizes, min(options.bins, max(len(X) // _ROWS_A_BIN, 2)), options.terms)
        if not sizes.size or (most < 2 and (sizes > 1).any()):
            return cls(None, np.ones(X.shape[1]), np.arange(X.shape[1]), limits, np.ones(X.shape[1]))
        blocks = [_terms(_edges(*each, most), column) for each, column in zip(distinct, X.T, strict=True)]
        knots, tops, scale = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        sources = np.repeat(np.arange(len(blocks)), [len(block[0]) for block in blocks])
        lengths = np.bincount(sources)
        n_bins = np.maximum(lengths - 1, 1)[sources]
        n_bins[np.cumsum(lengths) - lengths] = 1  # first of each, the number as a whole
        return cls(Hinges(sources, knots, tops), scale, sources, limits, n_bins)

    def features(self, X: Any) -> np.ndarray:
        """The features of encoded rows, (n, E)."""
        X = X.toarray() if hasattr(X, "toarray") else X
        return X if self.hinges is None else self.hinges.terms(X) * self.scale


def _share(sizes: np.ndarray, most: int, total: int) -> int:
    """The largest number of bins of a column, at most `most`, with which all columns together have at most `total`."""
    allowed = [m for m in range(1, most + 1) if np.minimum(sizes, m).sum() <= total]
    return allowed[-1] if allowed else 0


def _edges(distinct: np.ndarray, counts: np.ndarray, most: int) -> np.ndarray:
    if len(distinct) - 1 > most:
        ranks = np.minimum(counts, counts.sum() / most).cumsum()
        distinct = np.unique(np.interp(np.linspace(ranks[0], ranks[-1], most + 1), ranks, distinct))
    apart = np.diff(distinct) > _NARROWEST * (distinct[-1] - distinct[0])
    edges = distinct[np.append(True, apart)]
    return edges if len(edges) > 1 else np.array([edges[0], edges[0] + 1.0])  # constant in these rows


def _terms(edges: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(knots, tops, scale): one bin as it is; of several, the whole range, scaled to variance 1, and then each."""
    low, high = edges[:-1], edges[1:]
    if len(low) == 1:
        return low, high, 1 / (high - low)
    spread = np.clip(column, edges[0], edges[-1]).std()
    whole = 1 / spread if spread > 0 else 0.0
    return (
        np.append(edges[0], low),
        np.append(edges[-1], high),
        np.append(whole, 1 / ((high - low) * np.sqrt(len(low)))),
    )
