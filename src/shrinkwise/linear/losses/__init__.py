"""Losses of linear models, one file each. To add one: its file, and its line in `LOSSES`."""

from .base import Loss
from .huber import Huber
from .logistic import Logistic
from .multinomial import Multinomial
from .poisson import Poisson
from .squared import Squared

LOSSES = {loss.name: loss for loss in (Squared(), Huber(), Poisson(), Logistic(), Multinomial())}

__all__ = ["LOSSES", "Huber", "Logistic", "Loss", "Multinomial", "Poisson", "Squared", "loss_of"]


def loss_of(loss, delta: float | None = None):
    """The loss with this name, or the loss object itself; `delta` is the residual at which Huber's loss changes from
    squared to absolute error."""
    if not isinstance(loss, str):
        return loss
    if loss not in LOSSES:
        raise ValueError(f"Expected loss to be one of {sorted(LOSSES)}, got {loss!r}")
    return Huber(delta) if loss == Huber.name and delta is not None else LOSSES[loss]
