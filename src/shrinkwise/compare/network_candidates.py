"""The network family: one hidden layer, alone, with L2, with dropout. λ and keep are chosen by cross-validation inside.

One random start per training; every setting of a training fold starts from the same one, so that they differ by the
regularizer alone. As in the linear family the encoder is fitted on the training fold as a whole.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shrinkwise.compare.candidates import Fit, Problem, Tuned
from shrinkwise.compare.network_training import Setting, train_networks
from shrinkwise.compare.options import NetworkOptions, Options
from shrinkwise.compare.scores import held_out_score
from shrinkwise.selection import folds, mean_and_se, one_standard_error


def tune_plain(problem: Problem, options: Options) -> Tuned:
    """The network without regularization."""
    return Tuned(_fit(problem, Setting(), options))


def tune_l2(problem: Problem, options: Options) -> Tuned:
    """The network with L2 on its weights."""
    return _tune([[Setting(lam=lam) for lam in _network(options).lambdas]], problem, options)


def tune_dropout(problem: Problem, options: Options) -> Tuned:
    """The network with dropout, on the hidden units or on the inputs as well (few inputs bear no dropping)."""
    grids = [[Setting(keep=keep, drops_inputs=inputs) for keep in _network(options).keeps] for inputs in (False, True)]
    return _tune(grids, problem, options)


def _tune(grids: list[list[Setting]], problem: Problem, options: Options) -> Tuned:
    """Take the grid with the lowest cross-validation curve, then its best and its one-standard-error setting.

    A grid runs from the strongest setting to the weakest, as `one_standard_error` expects.
    """
    curves = [_cross_validate(grid, problem, options) for grid in grids]
    grid, (mean, se) = min(zip(grids, curves, strict=True), key=lambda pair: pair[1][0].min())
    best, one_se = one_standard_error(mean, se)
    fits = {index: _fit(problem, grid[index], options) for index in {best, one_se}}
    return Tuned(fits[best], fits[one_se])


def _cross_validate(grid: list[Setting], problem: Problem, options: Options):
    """Mean held-out score per setting and its standard error; the networks of the folds are trained side by side."""
    splits = folds(problem.y, options.inner_folds, task=problem.task, random_state=problem.seed)
    parts = [replace(problem, X=problem.X[train], y=problem.y[train]) for train, _ in splits]
    scores = np.empty((len(splits), len(grid)))
    for j, setting in enumerate(grid):
        for i, (predictor, (_, test)) in enumerate(
            zip(train_networks(parts, setting, _network(options)), splits, strict=True)
        ):
            scores[i, j] = held_out_score(problem.task, problem.y[test], predictor.output(problem.X[test]))
    return mean_and_se(scores)


def _fit(problem: Problem, setting: Setting, options: Options) -> Fit:
    return Fit(train_networks([problem], setting, _network(options))[0], setting.named())


def _network(options: Options) -> NetworkOptions:
    """The network's options; where networks are left out nobody asks."""
    return options.network or NetworkOptions()
