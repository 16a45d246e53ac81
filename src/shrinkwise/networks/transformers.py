"""A penalty in a Hugging Face Trainer: ``Trainer(..., callbacks=[PenaltyCallback(sw.L1(1e-4))])``.

With Accelerate alone no callback is needed: call `attach` before ``accelerator.prepare``, or on ``optimizer.optimizer`` after.
"""

from __future__ import annotations

try:
    from transformers import TrainerCallback
except ImportError as error:
    raise ImportError(
        'This callback needs transformers; install it with pip install "shrinkwise[transformers]"'
    ) from error

from shrinkwise.networks.attaching.api import attach
from shrinkwise.networks.attaching.regularization import Regularization


class PenaltyCallback(TrainerCallback):
    """Calls ``attach(optimizer, model, penalty, **options)`` when training begins.

    A resumed run (``resume_from_checkpoint=``) has restored its optimizer's state by then and resumes bit for bit.

    Parameters
    ----------
    penalty : Penalty, Rule or list of them
    **options : as for `attach`.

    Attributes
    ----------
    regularization : Regularization
        Available after training has started.

    Notes: the Trainer decays weights and clips gradients of the loss by default. Clipping them makes λ effectively
    larger than specified; set ``max_grad_norm=0`` and use ``max_norm=`` here.
    """

    def __init__(self, penalty, **options):
        self.penalty, self.options = penalty, options
        self.regularization: Regularization | None = None

    def on_train_begin(self, args, state, control, model=None, optimizer=None, **kwargs) -> None:
        """Attach to the optimizer inside Accelerate's wrapper."""
        self.regularization = attach(getattr(optimizer, "optimizer", optimizer), model, self.penalty, **self.options)
