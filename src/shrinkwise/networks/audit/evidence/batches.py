"""How a batch is passed to a model, and which scalar of its outputs is differentiated."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping

import torch
from torch import nn

from .calls import flat


class Batch:
    """Inputs and targets, from a tensor, a pair (inputs, target) or a mapping of the arguments of `forward`."""

    def __init__(self, batch, loss: Callable | None):
        self.loss = loss
        self.target = None
        self.has_target = False
        self.inputs = self.given = batch
        if isinstance(batch, (tuple, list)) and len(batch) == 2:
            self.has_target = True
            self.inputs, self.target = batch

    def tensors(self) -> list[torch.Tensor]:
        """All tensors of the inputs."""
        return [leaf for leaf in flat(self.inputs) if isinstance(leaf, torch.Tensor)]

    def run(self, model: nn.Module):
        """The model's output."""
        if isinstance(self.inputs, Mapping):
            return model(**self.inputs)
        if isinstance(self.inputs, (tuple, list)):
            return model(*self.inputs)
        return model(self.inputs)

    def fit(self, model: nn.Module) -> None:
        """Use a pair as the inputs of a `forward` that needs both; TypeError if `forward` does not accept the batch."""
        try:
            signature = inspect.signature(model.forward)
        except (TypeError, ValueError):
            return
        error = _misfit(signature, self.inputs)
        if error is None:
            return
        if self.has_target and _misfit(signature, self.given) is None:
            self.inputs, self.target, self.has_target = self.given, None, False
            return
        raise ValueError(
            f"The batch does not match forward{signature}: {error}; pass a dict of its arguments, or (inputs, "
            "target) with several inputs as a tuple: ((x1, x2), target)"
        )

    def objective(self, output) -> torch.Tensor | None:
        """A scalar to differentiate: the given loss, the loss among the outputs, or a fixed weighted sum of the
        outputs."""
        if self.loss is not None:
            return self.of_loss(output)
        tensors = [t for t in flat(output) if isinstance(t, torch.Tensor) and t.requires_grad]
        scalars = [t for t in tensors if t.dim() == 0]
        if scalars:
            return scalars[0]
        generator = torch.Generator().manual_seed(0)
        parts = [(t * torch.randn(t.shape, generator=generator).to(t)).mean() for t in tensors if t.is_floating_point()]
        return torch.stack([part.float() for part in parts]).sum() if parts else None

    def of_loss(self, output) -> torch.Tensor:
        """The given loss, at this output."""
        value = self.loss(output, self.target) if self.has_target else self.loss(output)  # type: ignore[misc]
        if not isinstance(value, torch.Tensor) or value.numel() != 1:
            kind = (
                f"a tensor of shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else type(value).__name__
            )
            raise ValueError(f"Expected loss(output, target) to be a scalar tensor with gradients, got {kind}")
        return value

    def regression(self) -> bool:
        """Whether the target is of real numbers."""
        return isinstance(self.target, torch.Tensor) and self.target.is_floating_point()


def _misfit(signature: inspect.Signature, inputs) -> str | None:
    """Why a forward with this signature does not accept the inputs; None if it does."""
    try:
        if isinstance(inputs, Mapping):
            signature.bind(**inputs)
        else:
            signature.bind(*(inputs if isinstance(inputs, (tuple, list)) else [inputs]))
    except TypeError as error:
        return str(error)
    return None


def detached(value):
    """The same nest of tuples, lists and dicts with its tensors cut from their history."""
    if isinstance(value, torch.Tensor):
        return value.detach()
    if isinstance(value, tuple):
        items = [detached(item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if isinstance(value, list):
        return [detached(item) for item in value]
    if isinstance(value, dict):
        named = {key: detached(item) for key, item in value.items()}
        return named if type(value) is dict else type(value)(**named)
    return value
