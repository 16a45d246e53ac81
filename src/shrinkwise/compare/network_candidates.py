"""The network family: one hidden layer, alone, with L2, with dropout. λ and keep are chosen by cross-validation inside.

One random start per training; every setting of a training fold starts from the same one, so that they differ by the
regularizer alone. As in the linear family the encoder is fitted on the training fold as a whole.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from shrinkwise.compare.candidates import Fit, Problem, Tuned
from shrinkwise.compare.options import NetworkOptions, Options
from shrinkwise.compare.predictors import NetworkPredictor
from shrinkwise.compare.scores import held_out_score
from shrinkwise.penalties import L2
from shrinkwise.selection import folds, mean_and_se, one_standard_error


@dataclass(frozen=True)
class Setting:
    """How one network is regularized: L2 of strength lam on its weights, dropout that keeps units with probability keep."""

    lam: float = 0.0
    keep: float = 1.0
    drops_inputs: bool = False

    def named(self) -> dict:
        """The setting as it is said to the user."""
        if self.lam:
            return {"λ": self.lam}
        if self.keep < 1:
            return {"keep": self.keep, "of": "inputs too" if self.drops_inputs else "hidden units"}
        return {}


def tune_plain(problem: Problem, options: Options) -> Tuned:
    """The network without regularization."""
    return Tuned(_fit(problem, Setting(), options.network))


def tune_l2(problem: Problem, options: Options) -> Tuned:
    """The network with L2 on its weights."""
    return _tune([[Setting(lam=lam) for lam in options.network.lambdas]], problem, options.network)


def tune_dropout(problem: Problem, options: Options) -> Tuned:
    """The network with dropout, on the hidden units or on the inputs as well (few inputs bear no dropping)."""
    grids = [[Setting(keep=keep, drops_inputs=inputs) for keep in options.network.keeps] for inputs in (False, True)]
    return _tune(grids, problem, options.network)


def _tune(grids: list[list[Setting]], problem: Problem, network: NetworkOptions) -> Tuned:
    """Take the grid with the lowest cross-validation curve, then its best and its one-standard-error setting.

    A grid runs from the strongest setting to the weakest, as `one_standard_error` expects.
    """
    curves = [_cross_validate(grid, problem, network) for grid in grids]
    grid, (mean, se) = min(zip(grids, curves, strict=True), key=lambda pair: pair[1][0].min())
    best, one_se = one_standard_error(mean, se)
    fits = {index: _fit(problem, grid[index], network) for index in {best, one_se}}
    return Tuned(fits[best], fits[one_se])


def _cross_validate(grid: list[Setting], problem: Problem, network: NetworkOptions):
    splits = folds(problem.y, network.inner_folds, task=problem.task, random_state=problem.seed)
    losses = np.empty((len(splits), len(grid)))
    for i, (train, test) in enumerate(splits):
        part = Problem(problem.X[train], problem.y[train], problem.task, problem.n_classes, problem.seed)
        for j, setting in enumerate(grid):
            output = train_network(part, setting, network).output(problem.X[test])
            losses[i, j] = held_out_score(problem.task, problem.y[test], output)
    return mean_and_se(losses)


def _fit(problem: Problem, setting: Setting, network: NetworkOptions) -> Fit:
    return Fit(train_network(problem, setting, network), setting.named())


def train_network(problem: Problem, setting: Setting, network: NetworkOptions) -> NetworkPredictor:
    """Train one network and hand it back as arrays. A regression target is standardised for training."""
    import torch

    centre, scale = (0.0, 1.0) if problem.has_classes else (problem.y.mean(), problem.y.std() or 1.0)
    X = torch.tensor(problem.X, dtype=torch.float32)
    y = torch.tensor(problem.y, dtype=torch.long) if problem.has_classes else _column((problem.y - centre) / scale)
    with _one_thread(), torch.random.fork_rng(devices=[]):  # the caller's random state is left as it was
        torch.manual_seed(problem.seed)
        model = _network(X.shape[1], problem.n_classes if problem.has_classes else 1, setting, network)
        _minimise(model, X, y, setting, network)
    linear = [layer for layer in model if isinstance(layer, torch.nn.Linear)]
    weights = [layer.weight.detach().double().numpy() for layer in linear]
    biases = [layer.bias.detach().double().numpy() for layer in linear]
    weights[-1], biases[-1] = weights[-1] * scale, biases[-1] * scale + centre
    return NetworkPredictor(weights, biases, problem.has_classes)


@contextmanager
def _one_thread():
    """PyTorch on one thread, said to itself: threadpoolctl misses it when it is loaded later than the limit is set."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _column(values: np.ndarray):
    import torch

    return torch.tensor(values, dtype=torch.float32)[:, None]


def _network(n_inputs: int, n_outputs: int, setting: Setting, network: NetworkOptions):
    import torch

    from shrinkwise.dropout import Dropout

    def noise(acts: bool):
        return [Dropout(keep=setting.keep)] if acts and setting.keep < 1 else []

    return torch.nn.Sequential(
        *noise(setting.drops_inputs),
        torch.nn.Linear(n_inputs, network.hidden),
        torch.nn.ReLU(),
        *noise(True),
        torch.nn.Linear(network.hidden, n_outputs),
    )


def _minimise(model, X, y, setting: Setting, network: NetworkOptions) -> None:
    import torch

    from shrinkwise.networks import attach

    loss = torch.nn.functional.mse_loss if y.is_floating_point() else torch.nn.functional.cross_entropy
    optimizer = torch.optim.Adam(model.parameters(), lr=network.learning_rate, fused=True)
    if setting.lam:
        attach(optimizer, model, L2(setting.lam))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, network.steps)
    for rows in _batches(len(X), network):
        optimizer.zero_grad()
        loss(model(X[rows]), y[rows]).backward()
        optimizer.step()
        schedule.step()


def _batches(n_rows: int, network: NetworkOptions):
    """`steps` batches: all rows where they fit in one, otherwise slices of one random order after another."""
    import torch

    if n_rows <= network.batch_size:
        yield from (slice(None) for _ in range(network.steps))
        return
    order = torch.empty(0, dtype=torch.long)
    for _ in range(network.steps):
        if len(order) < network.batch_size:
            order = torch.randperm(n_rows)
        rows, order = order[: network.batch_size], order[network.batch_size :]
        yield rows
