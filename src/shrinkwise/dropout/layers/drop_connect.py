"""Dropout of weights instead of units."""

from __future__ import annotations

from fnmatch import fnmatchcase

import torch
from torch import nn
from torch.fx import Proxy

from shrinkwise.dropout.inverted import dropout

from .noise import NoiseLayer, is_traced


class DropConnect(NoiseLayer):
    """Run `module` with dropout of its weights: each weight is w/keep with probability `keep` and 0 otherwise.

    Parameters
    ----------
    module : nn.Module
        A Linear, a convolution, an RNN, LSTM or GRU, or a module made of them.
    keep : float in (0, 1]
    names : str
        Pattern of the names of the parameters that are dropped, by default "*weight*": all weights, no biases.
        "weight_hh*" drops the recurrent weights of an LSTM only. Vectors (gains of normalisation layers) are not
        dropped.
    seed, stream, generator : as in `NoiseLayer`

    Shapes: those of `module`. One draw of the weights is used for a whole batch, and for all time steps of a sequence.

    Raises ValueError if no parameter matches `names`.

    References: Wan et al., Regularization of neural networks using DropConnect, ICML 2013; for recurrent weights Merity,
    Keskar, Socher, Regularizing and optimizing LSTM language models, arXiv:1708.02182.

    >>> DropConnect(nn.Linear(3, 2), keep=0.5)
    DropConnect(
      keep=0.5
      (module): Linear(in_features=3, out_features=2, bias=True)
    )
    """

    one_draw_a_batch = True
    wraps = "module"

    def __init__(
        self, module: nn.Module, *positional, keep=None, names: str = "*weight*", seed=None, stream=0, generator=None
    ):
        super().__init__(*positional, keep=keep, seed=seed, stream=stream, generator=generator)
        self.module, self.names = module, names
        # A tied weight is listed, and dropped, once.
        self._dropped = [
            name for name, p in module.named_parameters() if p.dim() > 1 and fnmatchcase(name.rpartition(".")[2], names)
        ]
        if not self._dropped:
            found = ", ".join(name for name, _ in module.named_parameters()) or "none"
            raise ValueError(f"Expected a module with weight matrices named like {names!r}, got the parameters {found}")

    def forward(self, *args, **kwargs):
        """`module` with dropped weights in training, unchanged in evaluation."""
        if any(isinstance(value, Proxy) for value in (*args, *kwargs.values())):
            return self.recorded(*args, **kwargs)
        if not self.training or self.keep == 1.0:
            return self.module(*args, **kwargs)
        if is_traced():
            raise RuntimeError(
                "DropConnect in training mode cannot be recorded by torch.jit.trace, which does not support "
                "replaced weights; call model.eval() first, or use torch.export"
            )
        weights = {name: dropout(self._weight(name), keep=self.keep, **self.draw()) for name in self._dropped}
        return torch.func.functional_call(self.module, weights, args, kwargs)

    def _weight(self, name: str) -> torch.Tensor:
        # Not get_parameter: within a functional_call of the user the weight is a plain tensor.
        owner, _, last = name.rpartition(".")
        return getattr(self.module.get_submodule(owner), last)
