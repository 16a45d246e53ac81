"""Training of many small networks of the same shape together: all settings of a regularizer, on all folds or from all
random starts.

S settings by M members are one module whose layers hold S · M weight matrices; its loss is the sum of their losses, and
Adam works entry by entry, so every network is trained as it would be alone, in a fraction of the time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from shrinkwise.compare.options import NetworkOptions
from shrinkwise.dropout.functional import dropout
from shrinkwise.models.predictors import NetworkPredictor, Response
from shrinkwise.networks.terms.normal_map import RATCHET_FACTOR, RATCHET_SLACK, NormalMap
from shrinkwise.penalties import L1, L2, Penalty

from .base import TrainingRows
from .setting import Setting
from .stacked_adam import StackedAdam

_PENALTIES = {"L1": L1, "L2": L2}
_COMPARED = 0.3  # the share of the steps after which losing settings are dropped


@dataclass(frozen=True)
class MemberRows:
    """A network of every setting: the numbers of its training rows, and the number of its random start."""

    rows: np.ndarray
    start: int = 0


def train_networks(
    problem: TrainingRows,
    settings: Sequence[Setting],
    members: Sequence[MemberRows],
    network: NetworkOptions,
    losing: Callable[[list[list[NetworkPredictor]]], Sequence[int]] | None = None,
) -> list[list[NetworkPredictor]]:
    """Train a network for each setting and member; the networks of all members, setting by setting.

    Settings with a penalty have the same norm. Members with the same start begin with the same weights, in every setting.
    A regression target is standardised for training. Beyond the range of their training rows, inputs are clipped smoothly.
    The seed is that of the problem; PyTorch's global random state is unchanged.

    losing: the numbers of the settings to drop after .3 of the steps, from the networks of all at that step; of those no
    networks are returned.
    """
    X = torch.tensor(np.ascontiguousarray(problem.dense()), dtype=torch.float32)
    targets = [_Target.of(problem, member.rows) for member in members]
    network = replace(network, steps=network.steps_on(max(len(member.rows) for member in members)))
    of_rows = {id(rows): _array(torch.stack([X[rows].amin(0), X[rows].amax(0)])) for rows in (m.rows for m in members)}
    limits, alive = [of_rows[id(member.rows)] for member in members], list(range(len(settings)))
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(problem.seed)
        sizes = X.shape[1], network.hidden, targets[0].n_outputs
        stack = SmallNetworks(settings, [member.start for member in members], sizes)
        rows = _StackRows.of(X, problem, targets, members, network.batch_size)
        training = _Descent(stack, targets[0], network)
        for step, batch in enumerate(rows.batches(network.steps), 1):
            training.step(*batch)
            if losing and step == round(_COMPARED * network.steps):
                dropped = set(losing(_predictors(stack, targets, limits)))
                alive = [s for s in alive if s not in dropped]
                training.keep(alive)
    networks = dict(zip(alive, _predictors(stack, targets, limits), strict=True))
    return [networks.get(s, []) for s in range(len(settings))]


def _predictors(stack: SmallNetworks, targets: list[_Target], limits: list[np.ndarray]) -> list[list[NetworkPredictor]]:
    """The networks of a stack as they are now, each with the target and the limits of its member, setting by setting."""
    members = list(enumerate(zip(targets, limits, strict=True)))
    return [
        [replace(target.predictor(*stack.network(s, m)), limits=limit) for m, (target, limit) in members]
        for s in range(len(stack.settings))
    ]


class SmallNetworks(nn.Module):
    """S settings by M members, each network with a hidden layer of H ReLU units.

    All see the same batch; which rows count for which member is a matter of the loss. Within a setting the members share
    the draw of dropped inputs, but not that of dropped units.

    Attributes: weights first (S, M·H, E) and last (S, M, K, H), and the biases of both layers. Features are in the rows of a
    batch, so that no layer is transposed.
    """

    def __init__(self, settings: Sequence[Setting], starts: Sequence[int], sizes: tuple[int, int, int]):
        super().__init__()
        n_inputs, hidden, n_outputs = sizes
        self.settings, self.n_members, self.hidden = list(settings), len(starts), hidden
        n = len(settings)
        layers = [_started(starts, *shape) for shape in ((n_inputs, hidden), (hidden, n_outputs))]
        (first, first_bias), (last, last_bias) = [[values.repeat(n, 1, 1, 1) for values in layer] for layer in layers]
        self.first = nn.Parameter(first.view(n, -1, n_inputs))
        self.first_bias = nn.Parameter(first_bias.view(n, -1, 1))
        self.last, self.last_bias = nn.Parameter(last), nn.Parameter(last_bias)

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Outputs (S, M, K, m) of a batch X (E, m), with dropout."""
        hidden = torch.baddbmm(self.first_bias, self.first, self._some_inputs(X)).relu_()
        hidden = self._some_units(hidden).view(-1, self.hidden, X.shape[1])
        output = torch.baddbmm(self.last_bias.flatten(0, 1), self.last.flatten(0, 1), hidden)
        return output.view(len(self.settings), self.n_members, -1, X.shape[1])

    def keep(self, settings: Sequence[int]) -> None:
        """Keep some of the settings."""
        self.settings = [self.settings[s] for s in settings]
        for name, values in list(self.named_parameters()):
            setattr(self, name, nn.Parameter(values.detach()[list(settings)].clone()))

    def network(self, setting: int, member: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Weights (out, in) and biases of one network."""
        units = slice(member * self.hidden, (member + 1) * self.hidden)
        weights = self.first[setting, units], self.last[setting, member]
        biases = self.first_bias[setting, units, 0], self.last_bias[setting, member, :, 0]
        return [_array(values) for values in weights], [_array(values) for values in biases]

    def _some_inputs(self, X: torch.Tensor) -> torch.Tensor:
        if not any(setting.drops_inputs for setting in self.settings):
            return X.expand(len(self.settings), *X.shape)
        return torch.stack([dropout(X, keep=each.keep) if each.drops_inputs else X for each in self.settings])

    def _some_units(self, hidden: torch.Tensor) -> torch.Tensor:
        keeps = {setting.keep for setting in self.settings}
        if len(keeps) == 1:
            return dropout(hidden, keep=keeps.pop())
        return torch.stack([dropout(h, keep=each.keep) for h, each in zip(hidden, self.settings, strict=True)])


def _started(starts: Sequence[int], n_inputs: int, n_outputs: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights (M, out, in) and biases (M, out, 1) of a layer, equal for equal starts."""
    made = {start: nn.Linear(n_inputs, n_outputs) for start in sorted(set(starts))}
    weights = torch.stack([made[start].weight.detach() for start in starts])
    return weights, torch.stack([made[start].bias.detach()[:, None] for start in starts])


@dataclass(frozen=True)
class _Target:
    """A target in the form that the loss takes: class codes, numbers of mean 0 and variance 1, or counts of mean 1."""

    values: np.ndarray
    n_outputs: int
    centre: float = 0.0
    scale: float = 1.0
    has_classes: bool = False
    has_counts: bool = False

    @classmethod
    def of(cls, problem: TrainingRows, rows: np.ndarray) -> _Target:
        """The target of all rows of a problem, for the training on some of them."""
        if problem.has_classes:
            return cls(problem.y, problem.n_classes, has_classes=True)
        y = problem.y[rows]
        if problem.has_counts:
            return cls(problem.y / y.mean(), 1, 0.0, y.mean(), has_counts=True)
        centre, scale = y.mean(), y.std() or 1.0
        return cls((problem.y - centre) / scale, 1, centre, scale)

    def predictor(self, weights: list[np.ndarray], biases: list[np.ndarray]) -> NetworkPredictor:
        if self.has_counts:
            return NetworkPredictor(weights, [*biases[:-1], biases[-1] + np.log(self.scale)], False, Response(log=True))
        weights[-1], biases[-1] = weights[-1] * self.scale, biases[-1] * self.scale + self.centre
        return NetworkPredictor(weights, biases, self.has_classes)

    def losses(self, output: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss of every row (S, M, m) at outputs (S, M, K, m), for counts logarithms of their means, and targets (M, m)."""
        if self.has_classes:
            n_rows = targets.shape[-1]
            targets = targets.expand(len(output), *targets.shape)
            losses = nn.functional.cross_entropy(output.flatten(0, 1), targets.flatten(0, 1), reduction="none")
            return losses.view(*output.shape[:2], n_rows)
        scores = output[:, :, 0]
        return scores.exp() - targets * scores if self.has_counts else (scores - targets) ** 2


@dataclass(frozen=True)
class _StackRows:
    """The rows that any member is trained on: X (n, E), targets (M, n), and the weight of each row in the loss of each
    member, counts (M, n), with mean 1. size: the rows of a batch, of which a member sees `batch_size` on average."""

    X: torch.Tensor
    targets: torch.Tensor
    counts: torch.Tensor
    size: int

    @classmethod
    def of(
        cls, X: torch.Tensor, problem: TrainingRows, targets: list[_Target], members: Sequence[MemberRows], size: int
    ):
        used = np.unique(np.concatenate([member.rows for member in members]))
        given = np.ones(len(problem.y)) if problem.rows.weights is None else problem.rows.weights
        counts = np.zeros((len(members), len(problem.y)))
        for count, member in zip(counts, members, strict=True):
            count[member.rows] = given[member.rows] * len(used) / given[member.rows].sum()
        values = np.stack([target.values for target in targets])[:, used]
        return cls(
            X[used],
            torch.tensor(values, dtype=torch.long if problem.has_classes else torch.float32),
            torch.tensor(counts[:, used], dtype=torch.float32),
            min(len(used), round(size * len(used) / np.mean([len(member.rows) for member in members]))),
        )

    def batches(self, steps: int) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """(X transposed, targets, counts) of each step: all rows in a new random order again and again, the last incomplete
        batch left out; always the same where all rows fit into one."""
        n, a_pass = len(self.X), len(self.X) // self.size
        if a_pass == 1 and n == self.size:
            yield from [(self.X.T.contiguous(), self.targets, self.counts)] * steps
            return
        for step in range(steps):
            if step % a_pass == 0:
                order = torch.randperm(n)
            some = order[step % a_pass * self.size :][: self.size]
            yield self.X.index_select(0, some).T.contiguous(), self.targets[:, some], self.counts[:, some]


class _Descent:
    """Adam on a stack, step by step, with a learning rate that falls to 0 along half a cosine."""

    def __init__(self, stack: SmallNetworks, target: _Target, network: NetworkOptions):
        self.stack, self.target, self.network, self.n_done = stack, target, network, 0
        self.adam, self.penalised = StackedAdam(stack), _latents(stack)

    def step(self, X: torch.Tensor, targets: torch.Tensor, counts: torch.Tensor) -> None:
        """One step on a batch."""
        rate = 0.5 * (1 + math.cos(math.pi * self.n_done / self.network.steps))
        self.stack.zero_grad()
        losses = self.target.losses(self.stack(X), targets)
        (losses * counts).sum().div(X.shape[1]).backward()
        for latents in self.penalised:
            latents.before_step()
        self.adam.step(self.network.learning_rate * rate)
        for latents in self.penalised:
            latents.after_step()
        self.n_done += 1

    def keep(self, settings: Sequence[int]) -> None:
        """Keep some of the settings, with what Adam and the penalty remember of them."""
        networks = torch.arange(len(self.stack.settings) * self.stack.n_members).view(-1, self.stack.n_members)
        self.stack.keep(settings)
        self.adam.keep(settings)
        for latents, weights in zip(self.penalised, (self.stack.first, self.stack.last), strict=False):
            latents.keep(weights, networks[list(settings)].flatten())


class _Latents:
    """The normal map of one layer of a stack, with a λ and a threshold t for each network: `attach` without its checks of the
    optimizer and of other code, which cost as much as a step of small networks."""

    def __init__(self, weights: nn.Parameter, penalty: Penalty, lam: torch.Tensor):
        self.weights, self.lam = weights, lam[:, None]
        w = self._by_network(weights.detach())
        self.map = NormalMap(penalty, w[0].shape)
        thresholds = [self.map.threshold(each) for each in w]
        self.z = torch.stack([self.map.latent(each, t) for each, t in zip(w, thresholds, strict=True)])
        self.t = torch.tensor(thresholds)[:, None]

    def keep(self, weights: nn.Parameter, networks: torch.Tensor) -> None:
        """Keep some of the networks, of which `weights` are the weights."""
        self.weights = weights
        self.lam, self.z, self.t = self.lam[networks], self.z[networks], self.t[networks]

    @torch.no_grad()
    def before_step(self) -> None:
        """The parameter holds its latent z, and its gradient includes (λ/t)(z − w)."""
        w, grad = self._by_network(self.weights), self._by_network(self.weights.grad)
        grad.add_((self.z - w).mul_(self.lam / self.t))
        w.copy_(self.z)

    @torch.no_grad()
    def after_step(self) -> None:
        """The parameter holds w = prox(z) again; t is raised for a network whose steps are long against it."""
        w = self._by_network(self.weights)
        z = w.clone()
        if not self.map.smooth:
            raised = RATCHET_FACTOR * (z - self.z).abs().mean(1, keepdim=True)
            t = torch.where(raised > RATCHET_SLACK * self.t, raised, self.t)
            if not torch.equal(t, self.t):
                z, self.t = self.map.rescaled(z, self.t, t), t
        self.z = z
        w.copy_(self.map.prox(z, self.t))

    def _by_network(self, values: Any) -> torch.Tensor:
        return values.view(len(self.lam), -1)


def _latents(stack: SmallNetworks) -> list[_Latents]:
    """The latents of both layers; none without a penalty."""
    lam = torch.tensor([setting.lam for setting in stack.settings]).repeat_interleave(stack.n_members)
    penalty = _PENALTIES[stack.settings[0].norm](1.0)
    return [_Latents(weights, penalty, lam) for weights in (stack.first, stack.last)] if lam.any() else []


def _array(values: torch.Tensor) -> np.ndarray:
    return values.detach().double().numpy()


@contextmanager
def one_thread():
    """Limit PyTorch to one thread directly, because threadpoolctl misses it if it is loaded after the limit is set."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
