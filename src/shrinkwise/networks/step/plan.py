"""The plan for a parameter before a step of the optimizer, and the result after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from shrinkwise.networks.terms.term import Term


@dataclass
class StepOptions:
    """How the penalty acts; see `attach`."""

    threshold: float | None = None  # t for all tensors; None = by rule
    max_norm: float | None = None  # of the gradient of the sum, over all parameters of the optimizer
    schedule: Callable[[int], float] | None = None
    start: str = "keep"


@dataclass(frozen=True)
class ParameterStep:
    """A penalised parameter that a step concerns."""

    term: Term
    group: dict  # of the optimizer's
    user_grad: torch.Tensor | None  # as the user left it
    still: bool  # the step will not move it

    @property
    def grad(self) -> torch.Tensor:
        """The gradient of the loss; zero where backward did not reach the parameter."""
        return torch.zeros_like(self.term.param) if self.user_grad is None else self.user_grad


@dataclass(frozen=True, kw_only=True)
class StepPlan:
    """What a step does to one parameter, and what is needed to return it. Not changed once the step has begun."""

    term: Term
    group: dict
    user_grad: torch.Tensor | None
    borrowed: torch.Tensor | None = None  # stands in the place of the user's gradient during the step

    def borrow(self) -> None:
        """Give the parameter the gradient it has during the step."""
        if self.borrowed is not None:
            self.term.param.grad = self.borrowed

    def grad_to_return(self) -> torch.Tensor | None:
        """The gradient that the parameter has after the step; one that the step itself removed stays removed."""
        grad = self.term.param.grad
        return self.user_grad if self.borrowed is not None and grad is self.borrowed else grad


@dataclass(frozen=True)
class StepResult:
    """A latent after a step, and whether the parameter's memory holds its weights already."""

    latent: torch.Tensor
    threshold: float
    written: bool = False
    fresh: bool = False  # the latent is not in the optimizer's state yet
