"""Paths fitted on the training part of every fold, and their held-out losses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np
from joblib import delayed

from shrinkwise.linear.estimators.progress import run_all
from shrinkwise.linear.estimators.samples import Samples
from shrinkwise.linear.paths.path import Path
from shrinkwise.linear.paths.relaxed import relax
from shrinkwise.linear.paths.solve import paths_along, solve_all
from shrinkwise.linear.problem.fold_gram import FoldGrams
from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.problem.triangular_factor import FoldTriangles, one_thread
from shrinkwise.linear.problem.working_columns import is_tall
from shrinkwise.penalties import Penalty

from .curve import turned


@dataclass
class FoldTask:
    """The fit that is repeated on every fold; `grams` if the folds share their Gram matrices.

    `gammas` are the blends of the fit with its relaxed refit that are scored. `scored`, if given, maps a path and held-out
    rows to minus the scores (L,), in place of the loss. With `patience` the grid ends once the mean loss of no blend has
    fallen for so many λ.
    """

    penalty: Penalty
    loss: Any
    fit_intercept: bool
    tol: float
    max_iter: int
    grams: FoldGrams | None = None
    gammas: tuple[float, ...] = (1.0,)
    scored: Callable | None = None
    patience: int | None = None

    def is_one_kernel(self, X) -> bool:
        """Whether the work is little but one call of a kernel: L1 or L2 on dense least squares, without a scorer or a refit."""
        alone = self.scored is None and self.gammas == (1.0,)
        dense = self.loss.is_quadratic and not hasattr(X, "tocsc")
        return alone and dense and self.penalty.l1_l2((X.shape[1],)) is not None

    def sharing(self, samples: Samples, folds) -> FoldTask:
        """The same task with shared Gram matrices of these folds, if their solver uses them."""
        problem = samples.problem(self.loss, self.fit_intercept)
        pays = len(folds) > 2 and FoldGrams.pay(problem, self.penalty, min(len(train) for train, _ in folds))
        return replace(self, grams=FoldGrams(problem)) if pays else self


def fold_path(samples: Samples, train, task: FoldTask, lambdas) -> Path:
    """The Path of one training part."""
    problem = _training_part(samples, train, task)
    gram = None if task.grams is None else task.grams.without(train)
    return solve_all(problem, task.penalty, lambdas, task.tol, task.max_iter, gram=gram, judged=False)


def _training_part(samples: Samples, train, task: FoldTask) -> Problem:
    """The Problem of some rows; a large X is shared, and the others have weight 0."""
    X = samples.X
    if task.loss.is_quadratic or not is_tall(X):
        return samples.take(train).problem(task.loss, task.fit_intercept)
    train = np.flatnonzero(train) if np.asarray(train).dtype == bool else train
    weight = np.bincount(train, minlength=len(X)) * (1.0 if samples.weight is None else samples.weight)
    return Problem(X, samples.y, task.loss, weight, task.fit_intercept, samples.offset, keep_zeros=True)


def check_classes(y, train) -> None:
    """Raise ValueError if a training part lacks a class, because its model cannot predict that class."""
    if len(np.unique(y[train])) < len(np.unique(y)):
        raise ValueError("A class is missing from the training part of a fold; use fewer folds or drop the rare class")


def fold_losses(samples: Samples, fold, task: FoldTask, lambdas) -> np.ndarray:
    """Held-out loss of every blend at every λ, (G, L): squared error, log loss, the loss itself, or minus a score."""
    _check_classes(samples, fold, task)
    return _of_blends(task, fold_path(samples, fold[0], task, lambdas), _scorer(samples, fold, task))


def losses_along(samples: Samples, fold, task: FoldTask, lambdas) -> Iterator[np.ndarray]:
    """`fold_losses` in parts (G, k), none solved before its turn."""
    _check_classes(samples, fold, task)
    problem = _training_part(samples, fold[0], task)
    gram = None if task.grams is None else task.grams.without(fold[0])
    made = partial(_scorer, samples, fold, task)
    # Rows are copied once and not at every λ, unless the copies of all folds together would be too large.
    scorer = made if is_tall(samples.X) else cache(made)
    for part in paths_along(problem, task.penalty, lambdas, task.tol, task.max_iter, gram=gram):
        yield _of_blends(task, part, scorer())


def _check_classes(samples: Samples, fold, task: FoldTask) -> None:
    if task.loss.coded:
        for column in np.reshape(samples.y, (len(samples.y), -1)).T:
            check_classes(column, fold[0])


def _of_blends(task: FoldTask, fitted: Path, losses: Callable[[Path], np.ndarray]) -> np.ndarray:
    if task.gammas != (1.0,):
        fitted.refit = relax(fitted)
    return np.array([losses(fitted.relaxed(gamma) if gamma < 1 else fitted) for gamma in task.gammas])


def _scorer(samples: Samples, fold, task: FoldTask) -> Callable[[Path], np.ndarray]:
    """The held-out losses (L,) of a path."""
    if task.loss.is_partial:
        return _joint_scorer(samples, fold, task)
    held = samples.take(fold[1])
    if (scored := task.scored) is not None:
        return lambda fitted: scored(fitted, held)

    def losses(fitted: Path) -> np.ndarray:
        scores = task.loss.score(held.y, fitted.predict(held.X, held.offset))
        scores = scores if scores.ndim == 2 else scores.mean(-1)
        return np.average(scores, axis=1, weights=held.weight)

    return losses


def _joint_scorer(samples: Samples, fold, task: FoldTask) -> Callable[[Path], np.ndarray]:
    """What the held-out rows add to a loss that joins rows, by held-out row: that of all rows less that of the others."""
    y, (train, test) = samples.y, fold
    weight = np.ones(len(y)) if samples.weight is None else samples.weight
    terms = [(rows, task.loss.scaled_to(y[rows], weight[rows])) for rows in (slice(None), train)]

    def losses(fitted: Path) -> np.ndarray:
        eta = fitted.predict(samples.X, samples.offset)
        whole, others = (loss.value(y[rows], eta[:, rows]) @ weight[rows] for rows, loss in terms)
        return (whole - others) / weight[test].sum()

    return losses


def cross_validated_losses(samples: Samples, folds, task: FoldTask, lambdas, n_jobs=None, verbose=False) -> np.ndarray:
    """(L, folds) held-out losses of the fits themselves."""
    return cross_validated_blends(samples, folds, task, lambdas, n_jobs, verbose)[0]


def cross_validated_blends(samples: Samples, folds, task: FoldTask, lambdas, n_jobs=None, verbose=False) -> np.ndarray:
    """(G, L, folds) held-out losses of every blend; L is less than the number of λ where `task.patience` ends the grid.

    In one process the folds then go from λ to λ together, and no smaller λ is solved.
    """
    folds = list(folds)
    task = task.sharing(samples, folds)
    if task.patience is not None and n_jobs in (None, 1) and not verbose:
        return _together(samples, folds, task, lambdas)
    calls = (delayed(fold_losses)(samples, fold, task, lambdas) for fold in folds)
    threads = n_jobs not in (None, 1) and task.is_one_kernel(samples.X)
    with one_thread() if threads else nullcontext():
        losses = np.moveaxis(np.array(run_all(calls, n_jobs, "folds", verbose, threads)), 0, -1)
    return losses[:, : turned(losses, task.patience)]


def _together(samples: Samples, folds, task: FoldTask, lambdas) -> np.ndarray:
    along = [losses_along(samples, fold, task, lambdas) for fold in folds]
    known = [np.zeros((len(task.gammas), 0)) for _ in folds]
    while True:
        behind = min(range(len(folds)), key=lambda k: known[k].shape[1])
        part = next(along[behind], None)
        if part is None:  # the end of the grid
            return np.stack(known, axis=-1)
        known[behind] = np.concatenate([known[behind], part], axis=1)
        n_common = min(losses.shape[1] for losses in known)
        losses = np.stack([each[:, :n_common] for each in known], axis=-1)
        end = turned(losses, task.patience)
        if end is not None:
            return losses[:, :end]


def triangle_losses(triangles: FoldTriangles, task: FoldTask, lambdas) -> np.ndarray:
    """`cross_validated_losses` for least squares with many rows, from the triangular factors of the folds alone."""
    losses = []
    for known, held in zip(triangles.known, triangles.held, strict=True):
        fitted = solve_all(known.problem(task.fit_intercept), task.penalty, lambdas, task.tol, task.max_iter)
        intercepts = known.intercepts(fitted.coefs) if task.fit_intercept else fitted.intercepts
        losses.append(held.mean_squared_errors(fitted.coefs, intercepts))
    by_fold = np.array(losses).T
    return by_fold[: turned(by_fold[None], task.patience)]
