"""Polishing: proximal gradient steps on all data after training, so that the weights converge to a stationary point.

FISTA with restart: x' = prox_{s λf}(y − s ∇L(y)), y = x' + momentum · (x' − x), all tensors together; s is halved until
L(x') ≤ L(y) + ⟨∇L(y), x' − y⟩ + ‖x' − y‖²/2s, and the momentum is reset when it points uphill.

References: Beck and Teboulle, A fast iterative shrinkage-thresholding algorithm, SIAM J. Imaging Sci. 2009. O'Donoghue and
Candès, Adaptive restart for accelerated gradient schemes, Found. Comput. Math. 2015.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from shrinkwise.networks.distributed.processes import in_rounds
from shrinkwise.networks.distributed.shards import Part, is_shared, reshard, whole, wrap
from shrinkwise.networks.memory.kernels import local
from shrinkwise.networks.methods.normal_map import full_precision
from shrinkwise.networks.step.optimizers_known import weight_decay
from shrinkwise.networks.terms.block import blocks
from shrinkwise.networks.terms.term import Term

from .full_pass import at_rest, gradients, is_random, mean_loss

# Steps at one length after which a longer one is tried, and by how much.
_PATIENCE, _LONGER = 5, 1.5
_SHORTEST = 1e-20


@dataclass(frozen=True)
class Polish:
    """F = L + λf and the number of zeros before and after polishing, and the number of steps."""

    before: float
    after: float
    zeros_before: int
    zeros_after: int
    size: int
    steps: int
    step_size: float
    note: str = ""

    def __str__(self) -> str:
        return (
            f"Polished in {self.steps} full-gradient steps: L + λf changed from {self.before:.8g} to "
            f"{self.after:.8g}, exact zeros from {self.zeros_before} to {self.zeros_after} of "
            f"{self.size}.{self.note}"
        )


class Objective:
    """L + λf over the parameters of an optimizer; coupled weight decay is part of L.

    Points are lists of tensors (local parts of sharded parameters); numbers are those of the whole model.
    """

    def __init__(self, model: nn.Module, optimizer, terms: list[Term], loss_fn, loader):
        self.model, self.loss_fn, self.loader = model, loss_fn, loader
        own = {id(p) for p in model.parameters() if p.requires_grad}
        decays = {id(p): weight_decay(optimizer, g)[0] for g in optimizer.param_groups for p in g["params"]}
        self.params = [p for g in optimizer.param_groups for p in g["params"] if id(p) in own]
        self.decays = [decays[id(p)] for p in self.params]
        maps = {id(term.param): term.map for term in terms}
        self.blocks = [block for block in blocks(terms) if all(term.param.requires_grad for term in block.terms)]
        self.proxes = [maps[id(p)].penalty_here.prox if id(p) in maps else _stay for p in self.params]
        self.parts = [Part(p) if is_shared(p) else None for p in self.params]

    def point(self) -> list[torch.Tensor]:
        """The parameters in full precision."""
        return [local(p).detach().to(full_precision(p), copy=True) for p in self.params]

    @torch.no_grad()
    def move_to(self, x: list[torch.Tensor]) -> None:
        """Set the parameters."""
        for p, values in zip(self.params, x, strict=True):
            local(p).copy_(values)
        reshard(self.model)

    def loss(self, x: list[torch.Tensor]) -> float:
        """L at x."""
        self.move_to(x)
        return mean_loss(self.model, self.loss_fn, self.loader) + self._decayed(x)

    def slope(self, x: list[torch.Tensor]) -> tuple[float, list[torch.Tensor]]:
        """(L, ∇L) at x."""
        self.move_to(x)
        found = gradients(self.model, self.params, self.loss_fn, self.loader)
        slope = [local(g) + d * v for g, d, v in zip(found.mean, self.decays, x, strict=True)]
        return found.loss + self._decayed(x), slope

    def penalty(self, x: list[torch.Tensor]) -> float:
        """λf at x."""
        values = {id(p): whole(wrap(v, p)) for p, v in zip(self.params, x, strict=True)}
        return sum(
            float(block.penalty.value(block.stacked([values[id(term.param)] for term in block.terms])))
            for block in self.blocks
        )

    def prox(self, x: list[torch.Tensor], step: float) -> list[torch.Tensor]:
        """prox_{step λf}(x)."""
        return in_rounds([partial(prox, v, step) for prox, v in zip(self.proxes, x, strict=True)])

    def dot(self, a: list[torch.Tensor], b: list[torch.Tensor]) -> float:
        """⟨a, b⟩."""
        return self._sum([(u.double() * v.double()).sum() for u, v in zip(a, b, strict=True)])

    def equal(self, a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
        """Whether two points are the same to the last bit."""
        return self._sum([(u != v).sum().double() for u, v in zip(a, b, strict=True)]) == 0.0

    def _decayed(self, x) -> float:
        return self._sum([0.5 * d * v.double().square().sum() for d, v in zip(self.decays, x, strict=True)])

    def _sum(self, each: list[torch.Tensor]) -> float:
        asked = [
            partial(part.total, s) if part else partial(_stay, s) for part, s in zip(self.parts, each, strict=True)
        ]
        return float(sum(in_rounds(asked)))


@torch.no_grad()
def polish(model: nn.Module, optimizer, terms: list[Term], loss_fn, loader, steps: int) -> Polish:
    """See `Regularization.polish`."""
    objective, size = Objective(model, optimizer, terms, loss_fn, loader), sum(term.param.numel() for term in terms)
    zeros_before = _zeros(terms)
    with at_rest(model, noise=False):
        start = objective.point()
        try:
            best, before, after, done, length = _fista(objective, start, steps)
        except BaseException:
            objective.move_to(start)
            raise
        objective.move_to(best)
    with at_rest(model, noise=True):
        random = is_random(model, loss_fn, loader)
    note = " Dropout was off and normalisations were fixed." if random else ""
    return Polish(before, after, zeros_before, _zeros(terms), size, done, length, note)


def _fista(objective: Objective, start: list, steps: int) -> tuple[list, float, float, int, float]:
    """(best point, F at the start, F there, steps made, last step length)."""
    x = y = best = start
    loss, slope = objective.slope(x)
    before = after = loss + objective.penalty(x)
    length, since, t, done = _first_length(objective, x, slope), 0, 1.0, 0
    while done < steps:
        done += 1
        new, new_loss, shorter = _descend(objective, y, loss, slope, length)
        since = since + 1 if shorter == length else 0
        length = shorter
        if since >= _PATIENCE:
            length, since = length * _LONGER, 0
        value = new_loss + objective.penalty(new)
        way, gain = [a - b for a, b in zip(y, new, strict=True)], [a - b for a, b in zip(new, x, strict=True)]
        uphill = objective.dot(way, gain) > 0
        if value < after:
            best, after = new, value
        if objective.equal(new, y):
            break
        following = 1.0 if uphill else 0.5 * (1.0 + math.sqrt(1.0 + 4.0 * t * t))
        momentum = 0.0 if uphill else (t - 1.0) / following
        y = [a + momentum * (a - b) for a, b in zip(new, x, strict=True)]
        x, t = new, following
        loss, slope = objective.slope(y)
    return best, before, after, done, length


def _descend(objective: Objective, y, loss: float, slope, length: float) -> tuple[list, float, float]:
    """(the proximal step from y, L there, the step length at which L lies below its quadratic bound)."""
    eps = torch.finfo(y[0].dtype).eps
    while True:
        new = objective.prox([v - length * g for v, g in zip(y, slope, strict=True)], length)
        new_loss, way = objective.loss(new), [a - b for a, b in zip(new, y, strict=True)]
        # Losses that differ by rounding alone cannot tell a step too long.
        room = 8.0 * eps * abs(loss)
        bound = loss + objective.dot(slope, way) + objective.dot(way, way) / (2.0 * length)
        if new_loss <= bound + room or length < _SHORTEST:
            return new, new_loss, length
        length *= 0.5


def _first_length(objective: Objective, x, slope) -> float:
    """About 1/curvature of L along its gradient."""
    size = math.sqrt(objective.dot(slope, slope))
    if not size:
        return 1.0
    reach = 1e-3 * (math.sqrt(objective.dot(x, x)) or 1.0) / size
    _, there = objective.slope([v - reach * g for v, g in zip(x, slope, strict=True)])
    turn = [a - b for a, b in zip(there, slope, strict=True)]
    bend = math.sqrt(objective.dot(turn, turn))
    return reach * size / bend if bend else 1.0


def _stay(v: torch.Tensor, step: float = 0.0) -> torch.Tensor:
    return v


def _zeros(terms: list[Term]) -> int:
    return sum(int((term.whole() == 0).sum()) for term in terms)
