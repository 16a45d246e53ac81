"""A penalty in a Lightning Trainer: ``Trainer(callbacks=[PenaltyCallback(sw.L1(1e-4))])``.

With Fabric no callback is needed: call `attach` before ``fabric.setup``.
"""

from __future__ import annotations

try:
    from lightning.pytorch import Callback
except ImportError as error:
    raise ImportError('This callback needs Lightning; install it with pip install "shrinkwise[lightning]"') from error

from shrinkwise.networks.attaching.api import attach
from shrinkwise.networks.attaching.regularization import Regularization


class PenaltyCallback(Callback):
    """Calls ``attach(trainer.optimizers[optimizer], module, penalty, **options)`` when fitting starts.

    This happens before a checkpoint's optimizer state is restored, so that ``fit(ckpt_path=...)`` resumes bit for bit.

    Parameters
    ----------
    penalty : Penalty, Rule or list of them
    optimizer : int
        Index of the optimizer, if the module has several.
    **options : as for `attach`.

    Attributes
    ----------
    regularization : Regularization
        Available after fitting has started.

    Notes: ``gradient_clip_val`` clips only the gradient of the loss, which makes λ effectively larger than specified;
    use ``max_norm=`` instead.
    """

    def __init__(self, penalty, *, optimizer: int = 0, **options):
        super().__init__()
        self.penalty, self.optimizer, self.options = penalty, optimizer, options
        self.regularization: Regularization | None = None

    def on_fit_start(self, trainer, pl_module) -> None:
        """Attach to the optimizer that Lightning has just made."""
        optimizer = trainer.optimizers[self.optimizer]
        self.regularization = attach(optimizer, pl_module, self.penalty, **self.options)
