"""A penalty in a skorch net: ``NeuralNetClassifier(..., callbacks=[PenaltyCallback(sw.L1(1e-4))])``."""

from __future__ import annotations

try:
    from skorch.callbacks import Callback
except ImportError as error:
    raise ImportError('This callback needs skorch; install it with pip install "shrinkwise[skorch]"') from error

from shrinkwise.networks.attaching.api import attach, attached
from shrinkwise.networks.step.arming import stepper_of


class PenaltyCallback(Callback):
    """Calls ``attach(net.optimizer_, net.module_, penalty, ...)`` when training begins, once for each optimizer.

    ``partial_fit`` and pickled nets keep the penalty. State loaded before (``load_params``) is restored bit for bit.

    Parameters
    ----------
    penalty : Penalty, Rule or list of them
        In a grid search ``callbacks__<name>__penalty`` is one of the net's parameters.
    method, schedule, start, threshold, max_norm : as for `attach`.

    Attributes
    ----------
    regularization_ : Regularization
        Available after training has started.
    """

    def __init__(self, penalty, method="normal_map", schedule=None, start="keep", threshold=None, max_norm=None):
        self.penalty = penalty
        self.method = method
        self.schedule = schedule
        self.start = start
        self.threshold = threshold
        self.max_norm = max_norm

    def on_train_begin(self, net, X=None, y=None, **kwargs) -> None:
        """Attach to the net's optimizer, unless that is done."""
        if stepper_of(net.optimizer_) is not None:
            self.regularization_ = attached(net.optimizer_, net.module_)
            return
        names = ("method", "schedule", "start", "threshold", "max_norm")
        options = {name: getattr(self, name) for name in names}
        self.regularization_ = attach(net.optimizer_, net.module_, self.penalty, **options)
