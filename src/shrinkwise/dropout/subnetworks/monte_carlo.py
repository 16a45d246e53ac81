"""MC dropout: the spread of predictions over draws of dropout, an approximation of the network's uncertainty."""

from __future__ import annotations

import inspect
import math
import traceback
import warnings
from contextlib import contextmanager, nullcontext
from typing import NamedTuple

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from shrinkwise.dropout.layers.noise import NoiseLayer


class MCPrediction(NamedTuple):
    """The result of `mc_predict` for N rows. Entropies are in nats.

    mean : (N, ...) predictive mean; class probabilities (N, K) for classification
    variance : like mean, over the draws (divided by their number)
    entropy : (N,) or (N, ...), of the predictive distribution; None for regression without a noise variance
    mutual_information : like entropy, between prediction and draw: the part of the entropy due to uncertainty about the
    sub-network; None if entropy is None samples : (samples, N, ...), the draws; probabilities for classification
    """

    mean: torch.Tensor
    variance: torch.Tensor
    entropy: torch.Tensor | None
    mutual_information: torch.Tensor | None
    samples: torch.Tensor


@torch.no_grad()
def mc_predict(
    model: nn.Module, x, *, samples: int = 50, task: str, noise_variance=None, batch_dim=0, max_rows=4096, seed=None
) -> MCPrediction:
    """Predictions averaged over draws of dropout (MC dropout), with their spread; the model is not changed.

    Parameters
    ----------
    model : nn.Module from x to one tensor with the rows of x: logits (N, K) or (N, 1) for classification
    x : tensor with the rows in `batch_dim`
    samples : int ≥ 2
    task : "classification" (softmax over the last dimension, sigmoid when that is 1) or "regression"
    noise_variance : float, optional
        Variance σ² of the noise of y around the network's output. If given, regression has an entropy,
        ½ ln 2πe(v + σ²), and a mutual information, ½ ln(1 + v/σ²), both of a normal distribution with variance v + σ².
    batch_dim : int
        The dimension of the rows of x and of the output: 1 for recurrent layers that take (T, N, F).
    max_rows : int
        Several draws are computed together as rows of one batch, with at most this many rows. Models with layers whose
        rows share a draw (`DropConnect`, `UnitDropout`) compute one draw at a time.
    seed : int, optional
        Makes the draws reproducible without changing torch's generator.

    Returns an MCPrediction.

    Raises ValueError if all draws are equal, so that there is no spread; warns about dropout calls that are off because
    the code passes ``training=False``.

    Notes: all modules run in training mode (dropout may be in layers, inside ``nn.LSTM`` and
    ``nn.MultiheadAttention``, in calls with ``training=self.training``; and ``nn.TransformerEncoderLayer`` leaves its
    fast path, which ignores dropout), except those that keep running statistics, such as BatchNorm, and random
    activations. If a module changes a buffer nevertheless, it is restored with a warning.

    References: Gal and Ghahramani, Dropout as a Bayesian approximation, ICML 2016, arXiv:1506.02142.
    """
    if task not in ("classification", "regression"):
        raise ValueError(f'Expected task="classification" or task="regression", got {task!r}')
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 2:
        raise ValueError(f"Expected samples to be a whole number of at least 2, got {samples!r}")
    with _noisy(model), _seeded(seed, x.device):
        outputs = _draws(model, x, samples, batch_dim, max_rows)
    if (outputs == outputs[:1]).all():
        raise ValueError(
            f"All {samples} draws of the model are equal, because it has no active dropout (keep=1, dropout=0, or "
            "calls with training=False)"
        )
    return _classified(outputs) if task == "classification" else _regressed(outputs, noise_variance)


def _draws(model, x, samples: int, batch_dim: int, max_rows: int) -> torch.Tensor:
    """(samples, rows, ...): the model on several copies of x at a time."""
    rows = x.size(batch_dim)
    # Rows that share one draw would repeat it instead of giving further samples.
    alone = any(isinstance(m, NoiseLayer) and m.one_draw_a_batch for m in model.modules())
    together = 1 if alone else max(1, min(samples, max_rows // max(rows, 1)))
    parts: list[torch.Tensor] = []
    while samples > 0:
        copies = min(together, samples)
        repeats = [copies if d == batch_dim % x.dim() else 1 for d in range(x.dim())]
        with _DropoutStaysOff() if not parts else nullcontext():
            y = model(x.repeat(repeats))
        if not isinstance(y, torch.Tensor) or y.dim() <= batch_dim or y.size(batch_dim) != copies * rows:
            got = f"shape {tuple(y.shape)}" if isinstance(y, torch.Tensor) else type(y).__name__
            raise ValueError(
                f"Expected the model to return one tensor with its {copies * rows} rows in dimension {batch_dim}, "
                f"got {got}; wrap the model so that it returns only the prediction, or specify the dimension of "
                "the rows with batch_dim="
            )
        part = y.movedim(batch_dim, 0).unflatten(0, (copies, rows))
        if copies > 1 and not parts and (part == part[:1]).all():
            part, copies, together = part[:1], 1, 1  # noise of the user's own that rows share, or none at all
        parts.append(part)
        samples -= copies
    return torch.cat(parts)


def _classified(logits: torch.Tensor) -> MCPrediction:
    if logits.size(-1) == 1:
        log_p = nn.functional.logsigmoid(torch.cat([logits, -logits], -1))
        probabilities = torch.sigmoid(logits)
    else:
        log_p = torch.log_softmax(logits, -1)
        probabilities = log_p.exp()
    p = log_p.exp()
    mean_entropy = -(p * log_p).nan_to_num(0.0).sum(-1).mean(0)  # 0·(−∞) is 0 here
    entropy = torch.special.entr(p.mean(0)).sum(-1)
    mean, variance = probabilities.mean(0), probabilities.var(0, correction=0)
    return MCPrediction(mean, variance, entropy, (entropy - mean_entropy).clamp_min(0.0), probabilities)


def _regressed(outputs: torch.Tensor, noise_variance) -> MCPrediction:
    mean, variance = outputs.mean(0), outputs.var(0, correction=0)
    if noise_variance is None:
        return MCPrediction(mean, variance, None, None, outputs)
    if not noise_variance > 0:
        raise ValueError(f"Expected noise_variance to be above 0, got {noise_variance!r}")
    entropy = 0.5 * torch.log(2 * math.pi * math.e * (variance + noise_variance))
    return MCPrediction(mean, variance, entropy, 0.5 * torch.log1p(variance / noise_variance), outputs)


@contextmanager
def _noisy(model: nn.Module):
    """Set all modules to training mode except those with running statistics and random activations; restore everything
    afterwards."""
    modes = {m: m.training for m in model.modules()}
    counts = {id(m.draws) for m in modes if isinstance(getattr(m, "draws", None), torch.Tensor)}
    buffers = [(name, b, b.clone()) for name, b in model.named_buffers()]
    try:
        for m in modes:
            running = any(name.startswith("running_") for name, _ in m.named_buffers(recurse=False))
            m.training = not (running or isinstance(m, (nn.modules.batchnorm._NormBase, nn.RReLU)))
        yield
    finally:
        for m, training in modes.items():
            m.training = training
        changed = [name for name, b, before in buffers if id(b) not in counts and not _same(b, before)]
        for _, b, before in buffers:
            b.copy_(before)
        if changed:
            warnings.warn(
                f"Training mode changed {', '.join(changed)} during mc_predict; the values were restored, but the "
                "draws used the changed ones",
                stacklevel=4,
            )


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.equal(a, b) or bool(((a == b) | (a.isnan() & b.isnan())).all())


@contextmanager
def _seeded(seed, device):
    if seed is None:
        yield
        return
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield


_OFF_SWITCHES = {
    function: inspect.signature(function)
    for name in ("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")
    for function in [getattr(nn.functional, name)]
}


class _DropoutStaysOff(TorchFunctionMode):
    """Warn about each call of a functional dropout in one pass that is off although its p is not 0."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function in _OFF_SWITCHES:
            call = _OFF_SWITCHES[function].bind(*args, **kwargs)
            call.apply_defaults()
            if call.arguments["p"] > 0 and not call.arguments["training"]:
                self._warn(function.__name__, call.arguments["p"])
        return function(*args, **kwargs)

    @staticmethod
    def _warn(name: str, p: float) -> None:
        caller = next(
            f for f in reversed(traceback.extract_stack()) if "/torch/" not in f.filename and f.filename != __file__
        )
        warnings.warn(
            f"{name} with p={p:g} at {caller.filename}:{caller.lineno} is off because of training=False; pass "
            "training=self.training if it should contribute to the spread",
            stacklevel=2,
        )
