"""The candidate `network-cocktail`: dropout of units and of inputs, weight decay and label smoothing, chosen together."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from shrinkwise.compare.candidates.base import Candidate, Fit, TrainingRows, Tuned
from shrinkwise.compare.options import CocktailOptions, NetworkOptions, Options
from shrinkwise.models.predictors import NetworkPredictor, Response

from .embedding import Embedding
from .mix import Mix

if TYPE_CHECKING:
    from .training import Trained

_DECIMALS = 7  # of the weights of hidden layers, which are trained in single precision; shortens the file of the model
_TRIED = 30  # steps, for the estimate of the time
_USUAL_STEPS = 0.7  # the share of the steps that is made if the learning rate may decay early
_USUAL_WORK = 0.75  # the share of the work that is left where settings whose loss rises are dropped
# Held-out rows of a fold on which settings and steps are compared, so that this costs less than the training.
_HELD = 1000


def tune_cocktail(problem: TrainingRows, options: Options) -> Tuned:
    """The weighted mean of the networks of the inner folds; settings, shares and training steps by the held-out loss.

    All settings train side by side on all inner folds. The loss is that of all held-out rows together, so that a step is
    not chosen by the few rows of one fold. The networks of the chosen settings are trained again for the same number of
    steps in two cases: on all rows where the folds leave rows out, as a split by time does; and on those of the folds where
    the settings select inputs. There each fold had selected its own, because inputs that all folds select together depend on
    the held-out rows, whose loss was then too low; the kept networks select the same inputs.
    """
    import torch

    from shrinkwise.compare.candidates.stacked_networks import one_thread

    from .average import averaged
    from .training import refit, train

    cocktail, X = _cocktail(options), problem.dense()
    embedding = Embedding.of(X, cocktail)
    centre, scale = _unit(problem)
    splits = problem.folds(_n_folds(options))
    rows = _fold_rows(problem, embedding, splits, (centre, scale))
    mixes = _mixes(cocktail, problem.has_classes)
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(problem.seed)
        chosen = averaged(train(rows, mixes, cocktail), rows)
        left_out = sum(len(test) for _, test in splits) < len(problem.y)
        if left_out:
            everything = [(np.arange(len(problem.y)), np.arange(0))] * len(splits)
            rows = _fold_rows(problem, embedding, everything, (centre, scale))
        if left_out or any(trained.mix.select for trained, _ in chosen):
            chosen = [(refit(rows, trained, cocktail), share) for trained, share in chosen]
    predictor = mean_of_networks(*_together(chosen), embedding, (centre, scale), problem.has_classes)
    predictor = predictor.responding(Response(log=problem.has_counts))
    return Tuned(Fit(predictor, _settings(chosen, problem.has_classes)))


def _together(chosen: list[tuple[Trained, float]]) -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray]:
    """The layers of the networks of all folds and settings, one after the other, and the share of each in the mean."""
    networks = [[(w.double().numpy(), b.double().numpy()) for w, b in trained.layers] for trained, _ in chosen]
    layers = []
    for layer in zip(*networks, strict=True):
        weights, biases = zip(*layer, strict=True)
        layers.append((np.concatenate(weights), np.concatenate(biases)))
    n_folds = len(layers[0][0]) // len(chosen)
    return layers, np.repeat([share / n_folds for _, share in chosen], n_folds)


def _settings(chosen: list[tuple[Trained, float]], has_classes: bool) -> dict:
    """What is shown: the setting with the largest share in the mean, and of how many settings it is."""
    most, _ = max(chosen, key=lambda pair: pair[1])
    shown = most.mix.named(has_classes) | {"steps": most.step}
    return shown | {"mean of": f"{len(chosen)} settings"} if len(chosen) > 1 else shown


def mean_of_networks(
    layers: list[tuple[np.ndarray, np.ndarray]],
    shares: np.ndarray,
    embedding: Embedding,
    unit: tuple[float, float],
    has_classes: bool,
) -> NetworkPredictor:
    """One network whose scores, or predictions, are the weighted mean of those of F networks with two hidden layers.

    layers: (weights, inputs first, and biases) of the F networks, layer by layer: (F, E, H) and (F, H), (F, H, H) and
    (F, H), (F, H, K) and (F, K). shares (F,), with sum 1. unit: the centre and the scale of the target.
    """
    (first, first_bias), (second, second_bias), (last, last_bias) = layers
    hidden = first.transpose(0, 2, 1).reshape(first_bias.size, -1) * embedding.scale
    output = (last * shares[:, None, None]).transpose(2, 0, 1).reshape(last.shape[2], -1)
    centre, scale = unit
    return NetworkPredictor(
        [hidden.round(_DECIMALS), second.transpose(0, 2, 1).round(_DECIMALS), output * scale],
        [first_bias.ravel(), second_bias.ravel(), shares @ last_bias * scale + centre],
        has_classes,
        embedding=embedding.hinges,
        limits=embedding.limits if embedding.hinges is None else None,
    )


def seconds(problem: TrainingRows, options: Options, n_rows: int) -> float:
    """Estimated processor seconds of the tuning on n_rows rows, from some steps on those of `problem`."""
    from .training import training_work

    cocktail, taken = _cocktail(options), []
    for steps in (1, 1 + _TRIED):  # the first loads code
        few = replace(options, network=replace(_network(options), cocktail=cocktail.shortened(steps)))
        start = time.process_time()
        tune_cocktail(problem, few)
        taken.append(time.process_time() - start)
    n_mixes, folds = len(_mixes(cocktail, problem.has_classes)), _n_folds(options)

    def work(steps: int, rows: int) -> float:
        return training_work(n_mixes, steps, min(rows / folds, _HELD) / min(cocktail.batch_size, rows))

    one_step = max(taken[1] - taken[0], 0.0) / (work(1 + _TRIED, len(problem.y)) - work(1, len(problem.y)))
    share = _USUAL_STEPS if cocktail.plateau else 1.0
    return _USUAL_WORK * one_step * work(round(share * cocktail.steps_on(n_rows)), n_rows)


def _fold_rows(problem: TrainingRows, embedding: Embedding, splits: list, unit: tuple[float, float]):
    """The rows of a problem as tensors, with the weight of each in every fold; numbers are standardised.

    Held-out rows of a class that the training rows of their fold lack have no finite loss: they take no part in it.
    """
    import torch

    from .training import FoldRows

    n, weights = len(problem.y), problem.rows.weights
    weights = np.ones(n) if weights is None else weights / weights.mean()
    tests = [_spread(test) for _, test in splits]
    counts, longest = np.zeros((len(splits), n)), max(1, *map(len, tests))
    held, held_weights = np.zeros((len(splits), longest), dtype=int), np.zeros((len(splits), longest))
    for fold, ((train, _), test) in enumerate(zip(splits, tests, strict=True)):
        counts[fold, train] = weights[train] * n / weights[train].sum()
        known = np.isin(problem.y[test], problem.y[train]) if problem.has_classes else True
        held[fold, : len(test)], held_weights[fold, : len(test)] = test, weights[test] * known
    targets = (problem.y - unit[0]) / unit[1]
    if problem.has_classes or problem.has_counts:
        targets = problem.y / problem.y.mean() if problem.has_counts else problem.y
    return FoldRows(
        # Row by row in memory: the rows of a batch are taken in each step.
        features=torch.tensor(np.ascontiguousarray(embedding.features(problem.X)), dtype=torch.float32),
        sources=torch.tensor(embedding.sources),
        n_bins=torch.tensor(embedding.n_bins),
        inputs=torch.tensor(np.unique(problem.columns.inputs[embedding.sources], return_inverse=True)[1]),
        targets=torch.tensor(targets, dtype=torch.long if problem.has_classes else torch.float32),
        counts=torch.tensor(counts, dtype=torch.float32),
        held=torch.tensor(held),
        held_weights=torch.tensor(held_weights, dtype=torch.float32),
        n_outputs=problem.n_classes if problem.has_classes else 1,
        log_mean=problem.has_counts,
    )


def _spread(rows: np.ndarray) -> np.ndarray:
    """At most `_HELD` of the rows, spread evenly over them."""
    return rows if len(rows) <= _HELD else rows[np.linspace(0, len(rows) - 1, _HELD).astype(int)]


def _unit(problem: TrainingRows) -> tuple[float, float]:
    """The centre and the scale of the scores for a numeric target; those for counts are logarithms."""
    if problem.has_counts:
        return float(np.log(problem.y.mean())), 1.0
    return (0.0, 1.0) if problem.has_classes else (float(problem.y.mean()), float(problem.y.std()) or 1.0)


def _mixes(cocktail: CocktailOptions, has_classes: bool) -> list[Mix]:
    """The settings, each once; the smoothing of labels is of no use for numbers."""
    mixes = [Mix(*each) for each in cocktail.mixes]
    return list(dict.fromkeys(mixes if has_classes else [replace(mix, smoothing=0.0) for mix in mixes]))


def _n_folds(options: Options) -> int:
    return max(options.inner_folds, _cocktail(options).members)


def _cocktail(options: Options) -> CocktailOptions:
    return _network(options).cocktail


def _network(options: Options) -> NetworkOptions:
    return options.network or NetworkOptions()


COCKTAIL = Candidate(
    "network cocktail",
    "network",
    "dropout + decay",
    "mean over dropout draws of the mean loss; units and whole inputs are kept with their probabilities; at each step of rate "
    "η the weights are multiplied by 1 − η · decay; a group lasso may select inputs in the first steps; stopped early",
    tune_cocktail,
    "network-cocktail",
    worth=4,
    seconds=seconds,
    drops_units=True,
    log_link=True,
    besides="it is larger, has piecewise-linear embeddings of the numbers and is a mean of networks of folds and settings",
)
