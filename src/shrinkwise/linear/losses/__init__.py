"""Losses of linear models, one file each. To add one: its file, and its lines in `_ALL` and `__all__`."""

from .base import Loss
from .classes.logistic import Logistic
from .classes.multi_logistic import MultiLogistic
from .classes.multinomial import Multinomial
from .classes.squared_hinge import SquaredHinge
from .location.huber import Huber
from .location.quantile import Quantile
from .location.square_root import SquareRoot
from .location.squared import Squared
from .positive.gamma import Gamma
from .positive.negative_binomial import NegativeBinomial
from .positive.poisson import Poisson
from .positive.tweedie import Tweedie
from .survival.cox import Cox
from .survival.records import survival

_ALL: tuple[Loss, ...] = (
    Squared(),
    SquareRoot(),
    Huber(),
    Quantile(),
    Poisson(),
    Gamma(),
    Tweedie(),
    NegativeBinomial(),
    Logistic(),
    Multinomial(),
    MultiLogistic(),
    SquaredHinge(),
    Cox(),
)
LOSSES = {loss.name: loss for loss in _ALL}

__all__ = [
    "LOSSES",
    "Cox",
    "Gamma",
    "Huber",
    "Logistic",
    "Loss",
    "MultiLogistic",
    "Multinomial",
    "NegativeBinomial",
    "Poisson",
    "Quantile",
    "SquareRoot",
    "Squared",
    "SquaredHinge",
    "Tweedie",
    "loss_of",
    "survival",
]


def loss_of(loss, delta: float | None = None):
    """The loss with this name, or the loss object itself; `delta` is the residual at which Huber's loss changes from
    squared to absolute error."""
    if not isinstance(loss, str):
        return loss
    if loss not in LOSSES:
        raise ValueError(f"Expected loss to be one of {sorted(LOSSES)}, got {loss!r}")
    return Huber(delta) if loss == Huber.name and delta is not None else LOSSES[loss]
