"""torch's AdamW and SGD in one pass over memory, for use as `torch.optim` is used: ``from shrinkwise.optim import AdamW``."""

from shrinkwise.networks.optimizers.adamw_sgd import SGD, AdamW

__all__ = ["SGD", "AdamW"]
