"""The data of the slider, computed once: which weights are drawn, which inputs are kept, the histogram at every λ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shrinkwise.report.axes import nice_limit, strength_positions
from shrinkwise.report.markup import shortened
from shrinkwise.report.numbers import number, plus_minus, rounded
from shrinkwise.report.schema import Page, PathPage

MOST_LINES = 30  # more cannot be followed by eye
MOST_NAMES = 200
_BINS = 24


@dataclass(frozen=True)
class PathView:
    """One regularization path as the page shows it; index 0 is the strongest penalty.

    `coefs` (d, L) holds the d drawn weights, largest at the chosen λ first; `kept`, `zeros` and `histogram` count
    over all weights and inputs of the model, drawn or not. `one_se_label` is the label of the λ with index `one_se`;
    `model` names the kept model if the path belongs to another one.
    """

    name: str
    model: str | None
    one_se_label: str
    coef_label: str
    lambdas: list[float]
    positions: list[float]
    best: int
    one_se: int
    chosen: int
    mean: np.ndarray
    se: np.ndarray
    score: str
    features: list[str]
    coefs: np.ndarray
    n_weights: int
    n_inputs: int
    kept: list[int]
    zeros: np.ndarray
    edges: np.ndarray
    histogram: np.ndarray
    beyond: bool
    names: list[str]
    runs: list[list[int]]

    @property
    def standing(self) -> str:
        """The name of the initial λ of the page: "chosen" if it is that of the kept model."""
        if self.model is None:
            return "chosen"
        label = self.one_se_label if self.one_se_label == "1-SE" else f"“{self.one_se_label}”"
        return {self.best: "best", self.one_se: label}.get(self.chosen, "first")

    @property
    def scored(self) -> bool:
        """Whether there is a cross-validation curve to draw."""
        return bool(np.isfinite(self.mean - self.se).any())

    def kept_text(self, i: int) -> str:
        """'14 of 60'."""
        return f"{self.kept[i]:,} of {self.n_inputs:,}"

    def zeros_text(self, i: int) -> str:
        """'46 of 60'."""
        return f"{self.zeros[i]:,} of {self.n_weights:,}"

    def score_text(self, i: int) -> str:
        """'0.471 ± 0.031'."""
        return plus_minus(self.mean[i], self.se[i])

    def listed(self, i: int) -> list[bool]:
        """The indices of `names` kept at the λ with index i."""
        return [any(a <= i < b for a, b in zip(run[::2], run[1::2], strict=True)) for run in self.runs]

    def for_script(self) -> dict:
        """The rounded data that the page's script needs to move the slider."""
        length, unit = range(len(self.lambdas)), _unit(self.coefs)
        return {
            "lambda": [number(lam) for lam in self.lambdas],
            "values": [rounded(lam) for lam in self.lambdas],
            "x": [round(x, 1) for x in self.positions],
            "best": self.best,
            "one_se": self.one_se,
            "kept_at": self.chosen,
            "kept": self.kept,
            "inputs": self.n_inputs,
            "zeros": self.zeros.tolist(),
            "weights": self.n_weights,
            "score": [self.score_text(i) for i in length],
            "scoreName": self.score,
            "runs": self.runs,
            "features": [shortened(f) for f in self.features],
            "coefs": [[rounded(c * unit, 3) for c in row] for row in self.coefs.tolist()],
            "unit": unit,
            "histogram": [_sparse(counts) for counts in self.histogram.tolist()],
        }


def view_path(page: Page, path: PathPage) -> PathView:
    """The view of `page.path`."""
    coefs = np.array([[np.nan if c is None else c for c in row] for row in path.coefs], dtype=float).T
    best, one_se, chosen = path.index_best, path.index_one_se, path.index_kept
    drawn = _largest(coefs, chosen)
    edges = _bins(coefs, [best, one_se, chosen])
    names, runs = _runs(path.inputs_kept, dict(zip(path.features, np.abs(coefs[:, chosen]), strict=True)))
    return PathView(
        name=path.name,
        model=_other_model(page, path),
        one_se_label=page.one_se_label,
        coef_label=path.coef_label,
        lambdas=[float(lam) for lam in path.lambdas],
        positions=strength_positions(path.lambdas),
        best=best,
        one_se=one_se,
        chosen=chosen,
        mean=_floats(path.cv_mean, coefs.shape[1]),
        se=_floats(path.cv_se, coefs.shape[1]),
        score=path.cv_label or page.score.name,
        features=[path.features[i] for i in drawn],
        coefs=coefs[drawn],
        n_weights=len(coefs),
        n_inputs=path.n_inputs,
        kept=[len(kept) for kept in path.inputs_kept],
        zeros=(coefs == 0).sum(axis=0),
        edges=edges,
        histogram=np.array([_histogram(column, edges) for column in coefs.T]),
        beyond=bool((np.abs(coefs[np.isfinite(coefs)]) > edges[-1]).any()),
        names=names,
        runs=runs,
    )


def _other_model(page: Page, path: PathPage) -> str | None:
    return page.kept_row.name if page.kept_row and page.kept_row.name != path.name else None


def _floats(values: Sequence[float | None] | None, length: int) -> np.ndarray:
    return np.array([np.nan if v is None else v for v in values or [None] * length], dtype=float)


def _largest(coefs: np.ndarray, chosen: int) -> list[int]:
    """The weights that are drawn: largest at the chosen λ, then largest anywhere."""
    size = np.abs(np.nan_to_num(coefs, posinf=0, neginf=0))
    return np.lexsort((-size.max(axis=1), -size[:, chosen]))[:MOST_LINES].tolist()


def _bins(coefs: np.ndarray, where: list[int]) -> np.ndarray:
    """Bins that fit the weights at the marked λ; larger weights (near λ = 0) are counted in the outermost bins."""
    for columns in (coefs[:, where], coefs):
        size = np.abs(columns[np.isfinite(columns)]).max(initial=0.0)
        if size > 0:
            return np.linspace(-1, 1, _BINS + 1) * nice_limit(float(size))
    return np.linspace(-1, 1, _BINS + 1)


def _histogram(weights: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Counts of the nonzero weights; exact zeros have a separate bar."""
    live = weights[np.isfinite(weights) & (weights != 0)]
    inside = np.clip(np.searchsorted(edges, live, side="right") - 1, 0, _BINS - 1)
    return np.bincount(inside, minlength=_BINS)


def _unit(coefs: np.ndarray) -> float:
    """The factor applied to coefficients in the page's data, chosen so that most have three digits before the point and
    are short."""
    size = np.abs(coefs[np.isfinite(coefs) & (coefs != 0)])
    return 10.0 ** (2 - math.floor(math.log10(np.median(size)))) if size.size else 1.0


def _sparse(counts: list[int]) -> str:
    """Counts between commas, nothing for a zero: most bins are empty."""
    return ",".join(str(count or "") for count in counts)


def _runs(inputs_kept: Sequence[Sequence[str]], size: dict[str, float]) -> tuple[list[str], list[list[int]]]:
    """Names in the order in which they enter, each with the stretches [from, to) of the grid where it is kept."""
    runs: dict[str, list[int]] = {}
    for i, kept in enumerate(inputs_kept):
        for name in kept:
            run = runs.setdefault(name, [])
            if run and run[-1] == i:
                run[-1] = i + 1
            else:
                run += [i, i + 1]
    order = sorted(runs, key=lambda name: (runs[name][0], -size.get(name, 0.0)))[:MOST_NAMES]
    return order, [runs[name] for name in order]
