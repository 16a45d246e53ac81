"""Training of a stack: one schedule for all, held-out losses on the way, losing settings dropped early."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
import torch

from shrinkwise.compare.candidates.stacked_adam import StackedAdam
from shrinkwise.compare.options import CocktailOptions

from .mix import Mix
from .stack import NetworkStack

_BETAS = (0.9, 0.99)
_FLAT = 0.5  # the share of the steps at the full learning rate; then it decays to 0 along half a cosine
_EVALUATIONS = 20  # denser at the beginning, where small tables have their lowest held-out loss
_DROPPING = (0.3, 0.6)  # the shares of the steps after which the worse half of the settings is dropped
# A setting is dropped as well if its held-out loss has its lowest value in the first half of the steps so far, and has risen
# since by .02 of what it fell to there: on 18 splits of ten tables no kept model changed. Not in the first .05 of the steps: a
# loss that has not fallen yet says nothing.
_WAITED, _RISEN, _SOONEST = 0.5, 0.02, 0.05
_SELECTING = 0.15  # the share of the steps in which inputs are selected
_EARLIEST = 0.25  # the share of the steps after which the learning rate may begin to decay
_FALLING = (
    0.15  # of the held-out loss: if it fell by more in the second half of the steps so far, twice as many are made
)


@dataclass(frozen=True)
class FoldRows:
    """Rows to train on, and those that each fold holds out.

    features (n, E), targets (n,) float32 or class codes; counts (F, n): the weight of each row in the training of each
    fold, with mean 1 over all rows; sources, n_bins, inputs (E,): of each feature the encoded column, the number of bins that
    it is one of, and the column of the table; held (F, m) row numbers, padded with any, and held_weights (F, m), 0 for padding.
    log_mean: whether outputs are logarithms of the means of the targets, which count.
    """

    features: torch.Tensor
    sources: torch.Tensor
    n_bins: torch.Tensor
    inputs: torch.Tensor
    targets: torch.Tensor
    counts: torch.Tensor
    held: torch.Tensor
    held_weights: torch.Tensor
    n_outputs: int
    log_mean: bool = False

    def held_losses(self, outputs: torch.Tensor) -> torch.Tensor:
        """The mean losses (S,) of outputs (S, F, m, K) for the held-out rows, over those of all folds together."""
        losses = row_losses(outputs, self.targets[self.held], log_mean=self.log_mean) * self.held_weights
        losses = losses.masked_fill(self.held_weights == 0, 0.0)  # also where one is infinite
        return losses.sum((1, 2)) / self.held_weights.sum()


@dataclass(frozen=True)
class Trained:
    """The networks of the folds of a setting at its best step: mean held-out loss, the step, weights and biases by layer.

    steps is the number of steps for which the learning rate was planned, selecting that of those in which inputs are selected.
    """

    mix: Mix
    loss: float
    step: int
    layers: list[tuple[torch.Tensor, torch.Tensor]]
    steps: int = 0
    selecting: int = 0


def train(rows: FoldRows, mixes: list[Mix], options: CocktailOptions) -> list[Trained]:
    """All settings and folds side by side; each setting at the step with its lowest loss over all held-out rows together."""
    steps = options.steps_on(len(rows.features))
    training = _Training(_stack(rows, mixes, options), rows, options, steps)
    contest, looks, dropping = _Contest(training), _looks(steps), list(_DROPPING)
    for step in training.steps():
        looked = step in looks
        if looked:
            contest.look(step)
            if _EARLIEST * steps <= step < _FLAT * training.n_steps and _stalled(contest.lowest, options.plateau):
                training.n_steps = round(step / _FLAT)
                looks = _looks(training.n_steps)
        longer = (
            step == round(_FLAT * training.n_steps) and training.n_steps < options.most_steps and _falls(contest.lowest)
        )
        if longer:
            training.n_steps = min(2 * training.n_steps, options.most_steps)
            looks = _looks(training.n_steps)
        if dropping and (longer or step >= round(dropping[0] * training.n_steps)):
            del dropping[0]
            contest.drop_worse_half()
        if looked and not contest.drop_risen(step):
            break
    steps, selecting = training.n_steps, training.n_selecting
    return [replace(each, steps=steps, selecting=selecting) for each in contest.found if each is not None]


class _Contest:
    """The settings that are still trained, and of each the networks at its lowest held-out loss.

    Attributes: alive, the numbers of the settings in the order of the stack; lowest, the lowest loss of all so far by step.
    """

    def __init__(self, training: _Training):
        self.training, self.stack, self.rows = training, training.stack, training.rows
        self.held = self.rows.features[self.rows.held]
        self.alive = list(range(len(self.stack.mixes)))
        self.found: list[Trained | None] = [None] * len(self.alive)
        self.lowest: dict[int, float] = {}
        self.losses: list[list[float]] = [[] for _ in self.alive]

    def look(self, step: int) -> None:
        """Compute the held-out losses; keep the networks of a setting where its loss is lower than before."""
        pooled = self.rows.held_losses(self.stack.evaluate(self.held)).tolist()
        for place, (setting, loss) in enumerate(zip(self.alive, pooled, strict=True)):
            best, mix = self.found[setting], self.stack.mixes[place]
            self.losses[setting].append(loss)
            if mix.select and step <= self.training.n_selecting:
                continue  # its weights are still shrunk
            if best is None or loss < best.loss:
                self.found[setting] = Trained(mix, loss, step, self.stack.networks(place))
        self.lowest[step] = min([*pooled, *self.lowest.values()])

    def drop_worse_half(self) -> None:
        """Of two settings or more, drop the half with the higher lowest losses."""
        order = sorted(self.alive, key=lambda setting: _loss(self.found[setting]))
        self._keep(set(order[: math.ceil(len(order) / 2)]))

    def drop_risen(self, step: int) -> bool:
        """Drop the settings whose loss has risen for as long as it fell; whether any is left."""
        self._keep({setting for setting in self.alive if not self._has_risen(setting, step)})
        return bool(self.alive)

    def _has_risen(self, setting: int, step: int) -> bool:
        best, losses = self.found[setting], self.losses[setting]
        if best is None or best.step > _WAITED * step or step < _SOONEST * self.training.n_steps:
            return False
        return losses[-1] - best.loss > _RISEN * (losses[0] - best.loss)

    def _keep(self, settings: set[int]) -> None:
        if len(settings) < len(self.alive):
            places = [place for place, setting in enumerate(self.alive) if setting in settings]
            self.training.keep(places)
            self.alive = [self.alive[place] for place in places]


def refit(rows: FoldRows, trained: Trained, options: CocktailOptions) -> Trained:
    """Networks of the same setting, from new starts, after the same number of steps on the rows of `rows`.

    They select the same inputs.
    """
    stack = _stack(rows, [trained.mix], options)
    training = _Training(stack, rows, options, trained.steps, n_selections=1)
    training.n_selecting = trained.selecting  # a share of the steps at first, whose number may have changed since
    for step in training.steps():
        if step == trained.step:
            break
    return replace(trained, layers=stack.networks(0))


def training_work(n_settings: int, steps: int, held: float) -> float:
    """The work of a training, in steps of single settings, of which the losing ones are dropped early.

    held: the held-out rows of a fold, as a multiple of those of a batch. Their loss costs a third of a step on them, which
    also computes the gradient of the weights and that of the hidden units.
    """
    total, alive, last = 0.0, n_settings, 0.0
    for share in _DROPPING:
        total, last, alive = total + alive * (share - last), share, math.ceil(alive / 2)
    return (steps + len(_looks(steps)) * held / 3) * (total + alive * (1 - last))


def row_losses(
    output: torch.Tensor, targets: torch.Tensor, smoothing: torch.Tensor | None = None, log_mean: bool = False
) -> torch.Tensor:
    """The losses (…, m) of outputs (…, m, K): squared errors, exp(s) − y s of logarithms s of means, or −log probabilities.

    Labels are smoothed by a number for each setting (S,).
    """
    if targets.is_floating_point():
        scores = output[..., 0]
        return scores.exp() - targets * scores if log_mean else (scores - targets) ** 2
    log_chances = torch.log_softmax(output, -1)
    losses = -log_chances.gather(-1, targets.expand(output.shape[:-1])[..., None])[..., 0]
    if smoothing is None:
        return losses
    return losses.lerp(-log_chances.mean(-1), smoothing[:, None, None])


class _Training:
    """Adam with decoupled decay on a stack, step by step; n_steps may be changed while the learning rate is flat."""

    def __init__(
        self, stack: NetworkStack, rows: FoldRows, options: CocktailOptions, steps: int, n_selections: int | None = None
    ):
        self.stack, self.rows, self.options, self.n_steps = stack, rows, options, steps
        self.adam = StackedAdam(stack, _BETAS)
        self.n_selecting = round(_SELECTING * steps)
        # Each fold selects for itself, so that its held-out rows have no part in it; with 1, all networks select together.
        self.n_selections = n_selections or stack.n_folds
        self.kept: dict[int, torch.Tensor] = {}  # of the settings that select inputs: which features are left

    def steps(self) -> Iterator[int]:
        """Run; yields the number of each step, from 1, after it."""
        step, batches = 0, _batches(len(self.rows.features), self.options.batch_size)
        while step < self.n_steps:
            batch, step = next(batches), step + 1
            rate = self.options.learning_rate * _rate((step - 1) / self.n_steps)
            self.stack.zero_grad()
            output, targets = self.stack(self.rows.features.index_select(0, batch)), self.rows.targets[batch]
            losses = row_losses(output, targets, self._smoothing(), self.rows.log_mean)
            (losses * self.rows.counts[:, batch]).sum().div(len(batch)).backward()
            self._decay(rate)
            self.adam.step(rate)
            self._select(rate, step)
            yield step

    def keep(self, places: list[int]) -> None:
        """Keep some of the settings, with what Adam remembers of them."""
        self.stack.keep(places)
        self.adam.keep(places)
        self.kept = {new: self.kept[place] for new, place in enumerate(places) if place in self.kept}

    def _smoothing(self) -> torch.Tensor | None:
        values = [mix.smoothing for mix in self.stack.mixes]
        return torch.tensor(values) if any(values) else None

    @torch.no_grad()
    def _decay(self, rate: float) -> None:
        factors = torch.tensor([1 - rate * mix.decay for mix in self.stack.mixes])
        for weights in self.stack.weights:
            weights.mul_(factors.view(-1, *[1] * (weights.dim() - 1)))

    @torch.no_grad()
    def _select(self, rate: float, step: int) -> None:
        """Shrink the weights of each input in the first layer; later only keep those at zero that are, without the bias."""
        for place, mix in enumerate(self.stack.mixes):
            weights = self.stack.first[place].unflatten(1, (self.n_selections, -1))
            if mix.select and step <= self.n_selecting:
                self.kept[place] = shrink_groups(weights, self.rows.inputs, rate * mix.select)
            elif place in self.kept:
                weights.mul_(self.kept[place])


def shrink_groups(weights: torch.Tensor, inputs: torch.Tensor, share: float) -> torch.Tensor:
    """The prox of share · Σ √m ‖w of an input‖, in place: weights (E, G, M) of features of the inputs (E,) in G selections.

    m is the number of weights of an input in one selection. Returns 1 for the features whose weights are left and 0 for the
    others, (E, G, 1).
    """
    squares, sizes = weights.square().sum(2), (torch.bincount(inputs) * weights.shape[2]).to(weights.dtype)
    norms = squares.new_zeros(len(sizes), weights.shape[1]).index_add_(0, inputs, squares).sqrt_()
    shrunk = share * sizes.sqrt()[:, None] / norms.clamp_min(torch.finfo(norms.dtype).tiny)
    left = (1 - shrunk).clamp_(min=0)[inputs][:, :, None]
    weights.mul_(left)
    return (left > 0).to(weights.dtype)


def _stack(rows: FoldRows, mixes: list[Mix], options: CocktailOptions) -> NetworkStack:
    sizes = rows.features.shape[1], options.hidden, rows.n_outputs
    return NetworkStack(mixes, len(rows.counts), sizes, rows.sources, rows.n_bins)


def _loss(trained: Trained | None) -> float:
    return math.inf if trained is None else trained.loss


def _stalled(lowest: dict[int, float], plateau: float) -> bool:
    """Whether in the second half of the steps the loss fell by less than this share of what it fell in all of them."""
    (first, start), (last, now) = next(iter(lowest.items())), next(reversed(lowest.items()))
    halfway = next(loss for step, loss in reversed(lowest.items()) if step <= max(first, last / 2))
    return halfway - now < plateau * (start - now)


def _falls(lowest: dict[int, float]) -> bool:
    """Whether the held-out loss still falls: by more than the share `_FALLING` of itself in the second half of the steps."""
    last, now = next(reversed(lowest.items()))
    halfway = next(loss for step, loss in reversed(lowest.items()) if step <= max(next(iter(lowest)), last / 2))
    return now < (1 - _FALLING) * halfway


def _rate(progress: float) -> float:
    return 1.0 if progress < _FLAT else 0.5 * (1 + math.cos(math.pi * (progress - _FLAT) / (1 - _FLAT)))


def _looks(steps: int) -> set[int]:
    """The steps after which the held-out loss is computed."""
    return set(np.ceil(steps * np.linspace(0, 1, _EVALUATIONS + 1)[1:] ** 2).astype(int).tolist())


def _batches(n_rows: int, size: int) -> Iterator[torch.Tensor]:
    """Row numbers of each step; all rows in a new random order again and again, the last incomplete batch left out."""
    size = min(size, n_rows)
    a_pass = n_rows // size
    for step in count():
        if step % a_pass == 0:
            order = torch.randperm(n_rows)
        yield order[step % a_pass * size :][:size]
