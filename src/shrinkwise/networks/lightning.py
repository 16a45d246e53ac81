"""A penalty in a Lightning Trainer: ``Trainer(callbacks=[PenaltyCallback(sw.L1(1e-4))])``.

With Fabric no callback is needed: call `attach` before ``fabric.setup``.
"""

from __future__ import annotations

try:
    from lightning.pytorch import Callback
except ImportError as error:
    raise ImportError('this callback needs Lightning: pip install "shrinkwise[lightning]"') from error

from shrinkwise.networks.attaching.api import attach
from shrinkwise.networks.attaching.regularization import Regularization


class PenaltyCallback(Callback):
    """Calls ``attach(trainer.optimizers[optimizer], module, penalty, **options)`` when fitting starts.

    That is before a checkpoint's optimizer state is restored, so ``fit(ckpt_path=...)`` goes on bit by bit.

    Parameters
    ----------
    penalty : Penalty, Rule or list of them
    optimizer : int
        Which of the module's optimizers, where there are several.
    **options : as for `attach`.

    Attributes
    ----------
    regularization : Regularization
        From the start of fitting on.

    Notes: ``gradient_clip_val`` clips the gradient of the loss alone, which makes λ larger than written; use ``max_norm=``.
    """

    def __init__(self, penalty, *, optimizer: int = 0, **options):
        super().__init__()
        self.penalty, self.optimizer, self.options = penalty, optimizer, options
        self.regularization: Regularization | None = None

    def on_fit_start(self, trainer, pl_module) -> None:
        """Attach to the optimizer that Lightning has just made."""
        optimizer = trainer.optimizers[self.optimizer]
        self.regularization = attach(optimizer, pl_module, self.penalty, **self.options)
