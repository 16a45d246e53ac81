"""One network on its way along λ, from no penalty to the strongest, and what is seen on the way."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from shrinkwise.networks.attaching.api import attach
from shrinkwise.networks.attaching.full_pass import at_rest, gradients, mean_loss
from shrinkwise.networks.attaching.regularization import Regularization
from shrinkwise.networks.attaching.rules import Rule
from shrinkwise.networks.terms.block import Block, blocks
from shrinkwise.networks.terms.term import Term
from shrinkwise.penalties import Penalty, fixed_leaves, has_fixed

from .checkpoint import Shelf
from .training import TensorRows, Training, seeded


@dataclass(frozen=True)
class Recipe:
    """What is trained, and how: everything but the rows, the seed and λ."""

    make_model: Callable[[], nn.Module]
    rules: list[Rule]
    loss: Callable
    training: Training
    refit: bool = False

    def begin(self, seed: int) -> tuple[nn.Module, torch.optim.Optimizer, Regularization]:
        """A new model with its optimizer, the moving penalties at λ = 0."""
        with seeded(seed):
            model = self.make_model()
        if not isinstance(model, nn.Module):
            raise TypeError(f"Expected make_model() to return a torch.nn.Module, got {type(model).__name__}")
        optimizer = self.training.optimizer(model.parameters())
        reg = attach(optimizer, model, self.rules)
        self.set_lam(reg, 0.0)
        return model, optimizer, reg

    def set_lam(self, reg: Regularization, lam: float) -> None:
        """λ of the path; rules beside the first moving one keep their ratio to it."""
        present = {term.rule for term in reg.terms}
        for number, share in shares(self.rules).items():
            if number in present:
                reg.set_lam(lam * share, rule=number + 1)

    def moving(self, reg: Regularization) -> list[Term]:
        """The penalised parameters whose λ moves."""
        numbers = shares(self.rules)
        terms = [term for term in reg.terms if term.rule in numbers]
        if not terms:
            raise ValueError("The rules along whose λ the path runs match no parameter of the model; see sw.rule")
        return terms

    def refitted(self, model: nn.Module, rows: TensorRows) -> nn.Module:
        """A copy of the model, trained on with the penalties off and its zeros held."""
        other = copy.deepcopy(model)
        optimizer = self.training.optimizer(other.parameters())
        attach(optimizer, other, self.rules).refit()
        self.training.run(other, optimizer, rows, self.loss, self.training.epochs)
        return other


@dataclass(frozen=True)
class NetworkAtLambda:
    """What there is to say of a network at one λ."""

    lam: float
    zeros: int
    size: int
    kept: int  # groups, or weights where the penalty has no groups
    objective: float  # loss over the training rows + all penalties, where the run is kept
    scores: list[float]  # held out

    @property
    def empty(self) -> bool:
        """Whether nothing that is penalised is left."""
        return self.kept == 0


class PathRun:
    """One network, trained without penalty and then at one λ after another, each from where the last one ended.

    Every stage draws its random numbers from a seed of its own, so a run that goes on from a checkpoint makes the same steps
    as one that was never interrupted.

    Parameters
    ----------
    recipe : Recipe
    rows : TensorRows to train on
    seed : int
    shelf : Shelf for checkpoints;  name : of this run on it
    keep : whether the weights at every λ stay on the shelf, for `back_to`, and the objective is computed
    score : callable of a model → list of held-out scores, optional
    """

    def __init__(
        self,
        recipe: Recipe,
        rows: TensorRows,
        seed: int,
        shelf: Shelf | None = None,
        name: str = "",
        score=None,
        keep: bool = False,
    ):
        self.recipe, self.seed, self.name, self.score, self.keep = recipe, seed, name, score, keep
        self._shelf = shelf if shelf is not None else Shelf()
        self.model, self.optimizer, self.reg = recipe.begin(seed)
        self.rows = rows.like(self.model)
        self.moving = recipe.moving(self.reg)
        self.seen: list[NetworkAtLambda] = []
        self._asked = 0
        saved = self._shelf.get(name) if self._shelf.survives else None
        if saved is None:
            self._train(recipe.training.start_epochs)
            self._save()
        else:
            self.model.load_state_dict(saved["model"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.seen = [NetworkAtLambda(**record) for record in saved["seen"]]

    def at(self, lam: float) -> NetworkAtLambda:
        """Train at this λ, the next larger one; what was done before an interruption is only looked up."""
        self._asked += 1
        if self._asked > len(self.seen):
            self.recipe.set_lam(self.reg, lam)
            self._train(self.recipe.training.epochs)
            self.seen.append(self._look(lam))
            if self.keep:  # before the checkpoint, so that one that says "done" has the weights
                self._shelf.put(self._place(self._asked - 1), _copied(self.model.state_dict()))
            self._save()
        return self.seen[self._asked - 1]

    def back_to(self, number: int) -> None:
        """Give the model the weights it had at the λ of this number, from 0."""
        self.model.load_state_dict(self._shelf.get(self._place(number)) or {})

    def _place(self, number: int) -> str:
        return f"{self.name}-at-{number}"

    def kept(self, block: Block) -> torch.Tensor:
        """Which groups, or weights where there are none, are left of penalised parameters."""
        w, penalty = block.whole(), block.unit
        if penalty.groups is not None:
            return penalty.groups.norms(w) > 0
        free = torch.as_tensor(penalty.unpenalised(tuple(w.shape)), device=w.device)
        return (w != 0) & ~free

    def lambda_max(self) -> float:
        """Smallest λ at which zero is stationary for every penalised tensor; see `NetworkPath`."""
        values = []
        ratios = shares(self.recipe.rules)
        for number, block in enumerate(blocks(self.moving)):
            model, null = self._null_model(block, number)
            with at_rest(model, noise=False):
                gradient = block.stacked(gradients(model, null, self.recipe.loss, self.rows.batches()).mean)
            values.append(float(block.unit.lambda_max(gradient)) / ratios[block.terms[0].rule])
        top = max(values)
        if not math.isfinite(top):
            raise ValueError(
                "This penalty has no finite λ_max because it gives no zeros; pass the grid, such as "
                "lambdas=np.geomspace(1e-2, 1e-6, 20)"
            )
        if not top > 0:
            raise ValueError(
                "The loss does not depend on the penalised weights at zero, so λ_max cannot be computed; pass "
                "the grid as lambdas="
            )
        return top

    def _null_model(self, block: Block, number: int) -> tuple[nn.Module, list[nn.Parameter]]:
        """A copy with these tensors zero and the parameters that no λ moves trained on; and the tensors in it."""
        model = copy.deepcopy(self.model)
        params = dict(zip((id(p) for p in self.model.parameters()), model.parameters(), strict=True))
        null = [params[id(term.param)] for term in block.terms]
        with torch.no_grad():
            for p in null:
                p.zero_()
        held = {id(params[id(other.param)]) for other in self.moving}
        free = [p for p in model.parameters() if id(p) not in held and p.requires_grad]
        if free:
            training = self.recipe.training
            with seeded(self.seed, 0, number):
                epochs = max(training.epochs, training.start_epochs)
                training.run(model, training.optimizer(free), self.rows, self.recipe.loss, epochs)
        return model, null

    def _train(self, epochs: int) -> None:
        with seeded(self.seed, 1 + len(self.seen)):
            self.recipe.training.run(self.model, self.optimizer, self.rows, self.recipe.loss, epochs)

    def _look(self, lam: float) -> NetworkAtLambda:
        scores = []
        if self.score is not None:
            scores = self.score(self.refitted() if self.recipe.refit else self.model)
        return NetworkAtLambda(
            lam=float(lam),
            zeros=sum(int((term.param == 0).sum()) for term in self.moving),
            size=sum(term.param.numel() for term in self.moving),
            kept=sum(int(self.kept(block).sum()) for block in blocks(self.moving)),
            objective=self._objective() if self.keep else math.nan,
            scores=scores,
        )

    def _objective(self) -> float:
        with at_rest(self.model, noise=False):
            return mean_loss(self.model, self.recipe.loss, self.rows.batches()) + self.reg.value()

    def refitted(self) -> nn.Module:
        """A copy of the model as it is, refitted on its support."""
        with seeded(self.seed, 1 + len(self.seen), 1):
            return self.recipe.refitted(self.model, self.rows)

    def _save(self) -> None:
        if self._shelf.survives:
            state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
            self._shelf.put(self.name, {**state, "seen": [vars(record) for record in self.seen]})


def _copied(state: dict) -> dict:
    return {name: value.detach().clone() for name, value in state.items()}


def shares(rules: list[Rule]) -> dict[int, float]:
    """{number of the rule: its λ over that of the first} for the rules whose λ moves along the path."""
    moving = {k: rule.penalty for k, rule in enumerate(rules) if rule.penalty is not None and not _held(rule.penalty)}
    if not moving:
        raise ValueError(
            "Every penalty is a constraint or .fixed(), so there is no λ for a path; use at least one other "
            "penalty, such as sw.L1(1.0)"
        )
    if len(moving) == 1:
        return {next(iter(moving)): 1.0}
    for penalty in moving.values():
        if not penalty.lam > 0:
            raise ValueError(f"Expected λ > 0 for each of several penalties, which keep their ratio, got {penalty!r}")
    first = next(iter(moving.values())).lam
    return {number: float(penalty.lam / first) for number, penalty in moving.items()}


def _held(penalty: Penalty) -> bool:
    fixed = fixed_leaves(penalty)
    if any(fixed) and not all(fixed) and has_fixed(penalty):
        raise ValueError(f"The λ of {penalty!r} is partly fixed, which a network path does not support; omit .fixed()")
    return all(fixed)
