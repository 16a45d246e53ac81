"""The network family: one hidden layer, without regularization or with L2, dropout, or L1 and dropout, selected by
inner cross-validation.

During selection all settings of a training fold have the same random start, so that they differ only in the
regularizer; the selected one is trained from several starts, and their mean is kept. As in the linear family, the
encoder is fitted on the training fold.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from shrinkwise.compare.metrics import held_out_score
from shrinkwise.compare.options import NetworkOptions, Options
from shrinkwise.models.predictors import NetworkPredictor

from .base import Candidate, Fit, TrainingRows, Tuned
from .choice import choose_strength
from .setting import Setting


def tune_plain(problem: TrainingRows, options: Options) -> Tuned:
    """The network without regularization."""
    return Tuned(_fits(problem, [Setting()], options)[0])


def tune_l2(problem: TrainingRows, options: Options) -> Tuned:
    """The network with L2 on its weights."""
    return _tune([[Setting(lam=lam) for lam in _network(options).lambdas]], problem, options)


def tune_dropout(problem: TrainingRows, options: Options) -> Tuned:
    """The network with dropout, on the hidden units, or on the inputs as well unless there are few inputs."""
    grids = [[Setting(keep=keep, drops_inputs=inputs) for keep in _network(options).keeps] for inputs in (False, True)]
    return _tune(grids, problem, options)


def tune_l1_dropout(problem: TrainingRows, options: Options) -> Tuned:
    """The network with L1 on its weights and dropout of the hidden units."""
    network = _network(options)
    grids = [[Setting(lam=lam, keep=keep, norm="L1") for lam in network.l1_lambdas] for keep in network.l1_keeps]
    return _tune(grids, problem, options)


def _tune(grids: list[list[Setting]], problem: TrainingRows, options: Options) -> Tuned:
    """Select the grid with the lowest cross-validation curve, then its best and its 1-SE setting.

    A grid runs from the strongest setting to the weakest, as `choose_strength` expects.
    """
    scores = _cross_validate([setting for grid in grids for setting in grid], problem, options)
    curves = np.split(scores, np.cumsum([len(grid) for grid in grids])[:-1])
    grid, curve = min(zip(grids, curves, strict=True), key=lambda pair: np.nanmin(pair[1].mean(axis=1), initial=np.inf))
    best, one_se = choose_strength(curve, None, options, squared=False)
    fits = _fits(problem, [grid[index] for index in dict.fromkeys((best, one_se))], options)
    return Tuned(fits[0], fits[-1])


def _cross_validate(settings: list[Setting], problem: TrainingRows, options: Options) -> np.ndarray:
    """Held-out score per setting and fold (settings, folds); the networks of all of them are trained together.

    The worse half of the settings is dropped after .3 of the steps, and has no score (NaN), unless the strongest setting
    within a share of the lowest score is requested.
    """
    from .stacked_networks import MemberRows, train_networks  # loads torch

    splits = problem.folds(options.inner_folds)
    held = [problem.take(test) for _, test in splits]

    def scores(networks: list[NetworkPredictor]) -> list[float]:
        return [
            held_out_score(rows.task, rows.y, network.output(rows.X), rows.rows.weights)
            for network, rows in zip(networks, held, strict=True)
        ]

    def losing(trained: list[list[NetworkPredictor]]) -> list[int]:
        order = np.argsort([np.mean(scores(networks)) for networks in trained], kind="stable")
        return order[math.ceil(len(order) / 2) :].tolist()

    members = [MemberRows(train) for train, _ in splits]
    trained = train_networks(problem, settings, members, _network(options), losing if options.within is None else None)
    return np.array([scores(networks) if networks else [np.nan] * len(splits) for networks in trained])


def _fits(problem: TrainingRows, settings: list[Setting], options: Options) -> list[Fit]:
    """For each setting the mean of networks from several random starts; the spread of their scores shows the effect of the
    start."""
    from .stacked_networks import MemberRows, train_networks  # loads torch

    everything = np.arange(len(problem.y))
    members = [MemberRows(everything, start) for start in range(_network(options).seeds)]
    trained = train_networks(problem, settings, members, _network(options))
    pairs = zip(settings, trained, strict=True)
    return [Fit(mean_network(starts), setting.named(), starts=tuple(starts)) for setting, starts in pairs]


def mean_network(networks: Sequence[NetworkPredictor]) -> NetworkPredictor:
    """One network whose scores before the softmax, or whose predictions, are the mean of those of the networks, without
    the hidden units that zeros made idle.

    Each has one hidden layer and the same limits; their hidden units side by side are that of the mean, (B·hidden) units.
    Its log loss or RMSE is no larger than the mean of theirs on any rows, because both are convex in these scores.
    """
    hidden, output = ([network.weights[i] for network in networks] for i in (0, 1))
    return NetworkPredictor(
        [np.vstack(hidden), np.hstack(output) / len(networks)],
        [np.concatenate([n.biases[0] for n in networks]), np.mean([n.biases[1] for n in networks], axis=0)],
        networks[0].has_classes,
        networks[0].response,
        limits=networks[0].limits,
    ).compact()


def _seconds(tune: Callable[[TrainingRows, Options], Tuned]) -> Callable[[TrainingRows, Options, int], float]:
    """The estimated processor seconds of a tuning on n_rows rows, from some steps on those of `problem`."""

    def seconds(problem: TrainingRows, options: Options, n_rows: int) -> float:
        network, taken = _network(options), []
        for steps in (1, *_TRIED):  # the first loads code
            few = replace(options, network=replace(network, steps=steps, passes=0))
            start = time.process_time()
            tune(problem, few)
            taken.append(time.process_time() - start)
        one_step = max(taken[2] - taken[1], 0.0) / (_TRIED[1] - _TRIED[0])
        return taken[1] + one_step * (network.steps_on(n_rows) - _TRIED[0])

    return seconds


def _network(options: Options) -> NetworkOptions:
    """The network's options; not called if networks are skipped."""
    return options.network or NetworkOptions()


_TRIED = 5, 25  # steps, for the estimate of the time
_NOISE = "mean over dropout draws of the mean loss; a unit is kept with probability keep and divided by it"

PLAIN = Candidate(
    "network",
    "network",
    "",
    "mean loss",
    tune_plain,
    "network",
    worth=8,
    seconds=_seconds(tune_plain),
    log_link=True,
)
L2 = Candidate(
    "network + L2",
    "network",
    "L2",
    "mean loss + λ Σ w²",
    tune_l2,
    "network-l2",
    worth=10,
    seconds=_seconds(tune_l2),
    log_link=True,
)
DROPOUT = Candidate(
    "network + dropout",
    "network",
    "dropout",
    _NOISE,
    tune_dropout,
    "network-dropout",
    worth=9,
    seconds=_seconds(tune_dropout),
    drops_units=True,
    bears="missing",
    log_link=True,
)
L1_DROPOUT = Candidate(
    "network + L1 + dropout",
    "network",
    "L1 + dropout",
    f"{_NOISE}; + λ Σ |w|",
    tune_l1_dropout,
    "network-l1-dropout",
    worth=11,
    seconds=_seconds(tune_l1_dropout),
    makes_zeros=True,
    drops_units=True,
    log_link=True,
)
