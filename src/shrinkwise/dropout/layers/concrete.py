"""Dropout that learns its own probability, by a continuous relaxation of the mask."""

from __future__ import annotations

import functools
import math

import torch
from torch import nn
from torch.fx import Proxy

from shrinkwise.dropout.inverted import check_keep

from .noise import NoiseLayer, check_floating, drawn_seed, is_traced, transformed, uniform


def concrete_dropout(
    x, logit: torch.Tensor, *, temperature=0.1, shared_dims=(), training=True, seed=None, generator=None, stream=0
) -> torch.Tensor:
    """Concrete dropout: x·m/keep with a relaxed mask m that is differentiable in keep = sigmoid(logit).

    m = sigmoid((logit + ln u − ln(1 − u))/temperature), u uniform on (0, 1): near 1 with probability about `keep` and
    near 0 otherwise; a Bernoulli mask in the limit of temperature 0.

    Parameters
    ----------
    x : floating-point tensor of any shape
    logit : scalar tensor, the log-odds of keeping, ln(keep/(1 − keep))
    temperature : float > 0; the reference uses 0.1
    shared_dims : dimensions of x along which the mask is the same, e.g. (2, 3) for the maps of (N, C, H, W)
    training, generator, stream : as in `dropout`
    seed : as in `gaussian_dropout`

    Returns a tensor like x.

    References: Gal, Hron, Kendall, Concrete dropout, NIPS 2017, arXiv:1705.07832.
    """
    check_floating(x, "concrete_dropout")
    if not training:
        return x
    shape = [1 if d in shared_dims else size for d, size in enumerate(x.shape)]
    n = math.prod(shape)
    # In half precision the mask would take few values: it is drawn in single precision at least.
    dtype = torch.promote_types(x.dtype, torch.float32)
    if seed is not None:
        u = uniform(n, seed=drawn_seed(seed, generator, x.device), stream=stream, device=x.device).to(dtype)
        odds, draw = torch.logit(u, eps=torch.finfo(dtype).eps / 2), None  # the bound keeps them finite
    else:
        # What is being recorded, or has no memory, must not be kept for later calls.
        table = _log_odds if transformed() or torch._C._len_torch_dispatch_stack() else _kept_log_odds
        odds, draw = table(x.device, dtype), _draw(n, x.device, generator)
    if transformed():
        odds = (odds if draw is None else odds[draw]).view(shape)
        return x * (torch.sigmoid((odds + logit) / temperature) / torch.sigmoid(logit)).to(x.dtype)
    # One number of 65 536 an element: for a large x the mask of each number is computed once and looked up.
    if draw is not None and n < len(odds):
        odds, draw = odds.index_select(0, draw), None
    with torch.no_grad():
        mask = torch.add(logit / temperature, odds, alpha=1.0 / temperature).sigmoid_().mul_(1.0 / torch.sigmoid(logit))
        mask = mask.to(x.dtype) if draw is None else mask.to(x.dtype).index_select(0, draw)
    return _Concrete.apply(x, logit, mask.view(shape), temperature)


def _log_odds(device, dtype) -> torch.Tensor:
    """ln u − ln(1 − u) of the 65 536 numbers u = (k + ½)/65536."""
    return torch.logit((torch.arange(65536, dtype=dtype, device=device) + 0.5) / 65536)


_kept_log_odds = functools.lru_cache(_log_odds)


def _draw(n: int, device, generator) -> torch.Tensor:
    """n whole numbers from 0 to 65 535: four from each draw of 64 bits, because drawing is the larger part of the
    cost."""
    options = {"dtype": torch.int64, "device": device, "generator": generator}
    if is_traced():  # it cannot hold the view as another type
        return torch.randint(65536, (n,), **options)
    words = torch.randint(-(2**63), 2**63 - 1, ((n + 3) // 4,), **options)
    return words.view(torch.int16)[:n].to(torch.int32) + 32768


class _Concrete(torch.autograd.Function):
    """x·m/keep given m/keep: autograd of the formula would create five tensors of the size of x and need as many
    passes."""

    @staticmethod
    def forward(ctx, x, logit, scaled, temperature):
        ctx.save_for_backward(x, scaled, torch.sigmoid(logit))
        ctx.temperature = temperature
        return x * scaled

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        x, scaled, keep = ctx.saved_tensors
        d_x = grad * scaled
        # y = x·m/keep: ∂m/∂logit = m(1 − m)/temperature, ∂(1/keep)/∂logit = −(1 − keep)/keep, so
        # ∂y/∂logit = (x·m/keep)·((1 − m)/temperature − (1 − keep)); and grad·x·m/keep = d_x·x.
        product = (d_x * x).sum_to_size(scaled.shape)
        total, weighted = product.sum(dtype=keep.dtype), torch.dot(product.flatten(), scaled.flatten()).to(keep.dtype)
        d_logit = (total - keep * weighted) / ctx.temperature - (1.0 - keep) * total
        return d_x, d_logit, None, None


class ConcreteDropout(NoiseLayer):
    """Drops the inputs of `layer` with a probability that is learned by gradient descent, with its regularization term.

    Minimise mean negative log-likelihood + Σ over these layers of `regularization()`; the relaxed mask of
    `concrete_dropout` makes the first part differentiable in keep. In evaluation `layer` is unchanged.

    Parameters
    ----------
    layer : nn.Linear (inputs are dropped) or nn.Conv1d, Conv2d, Conv3d (input maps are dropped)
    keep : float in (0, 1), where learning starts
    n_samples : int, the number of samples of the training set
    lengthscale : float > 0
        Prior length-scale l of the weights: larger is smoother, shrinks more. The authors use 0.01.
    temperature : float > 0, of the relaxation
    seed, stream, generator : as in `NoiseLayer`

    Attributes: `keep`, the current probability of keeping; `keep_logit`, its log-odds, which is the trained parameter.

    Shapes: those of `layer`.

    References: Gal, Hron, Kendall, Concrete dropout, NIPS 2017, arXiv:1705.07832.
    """

    wraps = "layer"
    keep_logit: nn.Parameter

    def __init__(
        self,
        layer,
        *positional,
        keep=0.9,
        n_samples: int,
        lengthscale=1e-2,
        temperature=0.1,
        seed=None,
        stream=0,
        generator=None,
    ):
        if not isinstance(layer, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)):
            raise TypeError(f"ConcreteDropout expects an nn.Linear or a convolution, got {type(layer).__name__}")
        if min(n_samples, lengthscale, temperature) <= 0:
            raise ValueError(
                f"Expected n_samples, lengthscale and temperature to be above 0, got {n_samples}, {lengthscale} "
                f"and {temperature}"
            )
        super().__init__(*positional, keep=keep, seed=seed, stream=stream, generator=generator)
        self.layer, self.n_samples, self.lengthscale, self.temperature = layer, n_samples, lengthscale, temperature
        self._is_linear = isinstance(layer, nn.Linear)

    @property
    def keep(self) -> float:
        """The current probability of keeping."""
        return torch.sigmoid(self.keep_logit.detach()).item()

    @keep.setter
    def keep(self, value: float) -> None:
        value = check_keep(value, (), "ConcreteDropout(layer, keep=0.9, n_samples=1000)")
        if not 0.0 < value < 1.0:
            raise ValueError(f"Expected keep to be strictly between 0 and 1, so that it can be learned, got {value}")
        logit = torch.tensor(math.log(value / (1.0 - value)))
        if hasattr(self, "keep_logit"):
            self.keep_logit.data.copy_(logit)
        else:
            self.keep_logit = nn.Parameter(logit)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`layer` of x, dropped by the relaxed mask in training."""
        if isinstance(x, Proxy):
            return self.recorded(x)
        if not self.training:
            return self.layer(x)
        # An input map is dropped as a whole: its pixels share the mask.
        shared = () if self._is_linear else tuple(range(x.dim() - self.layer.weight.dim() + 2, x.dim()))
        options = {"temperature": self.temperature, "shared_dims": shared, **self.draw()}
        return self.layer(concrete_dropout(x, self.keep_logit, **options))

    def regularization(self) -> torch.Tensor:
        """(l²/(2·keep)·‖W‖² − K·H(keep))/n_samples, to be added to the mean negative log-likelihood.

        The divergence of the dropout distribution from the prior, per sample: ‖W‖² is the sum of squared weights, K the
        number of inputs (or input maps), H(k) = −k ln k − (1 − k) ln(1 − k). If the loss is c times the negative
        log-likelihood, multiply it by c.
        """
        keep, drop = torch.sigmoid(self.keep_logit), torch.sigmoid(-self.keep_logit)
        log_keep, log_drop = nn.functional.logsigmoid(self.keep_logit), nn.functional.logsigmoid(-self.keep_logit)
        entropy = -keep * log_keep - drop * log_drop
        weight = self.layer.weight
        n_inputs = weight.size(1) * getattr(self.layer, "groups", 1)
        shrinkage = self.lengthscale**2 / (2.0 * keep) * weight.square().sum()
        return (shrinkage - n_inputs * entropy) / self.n_samples
