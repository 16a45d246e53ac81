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
    """The loss of a name, or the loss object itself; `delta` is where Huber's loss turns from squares to absolute values."""
    if not isinstance(loss, str):
        return loss
    if loss not in LOSSES:
        raise ValueError(f"expected loss in {sorted(LOSSES)}, got {loss!r}")
    return Huber(delta) if loss == Huber.name and delta is not None else LOSSES[loss]
