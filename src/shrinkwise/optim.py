"""torch's AdamW and SGD in one pass over memory, for use as `torch.optim` is used: ``from shrinkwise.optim import AdamW``."""

from .networks.fused import SGD, AdamW

__all__ = ["SGD", "AdamW"]
