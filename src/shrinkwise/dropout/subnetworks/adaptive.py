"""Dropout as a penalty: to second order it is L2 with a strength that depends on the data."""

from __future__ import annotations

import torch
from torch import nn

from .thinned import layer_keep, unit_dropout

_LOSSES = ("squared", "logistic", "softmax")


def dropout_penalty(model: nn.Module, x: torch.Tensor, *, loss: str) -> torch.Tensor:
    """The increase of the mean loss by dropout, to second order: ½ mean over rows of tr(H·Cov(outputs)).

    H is the second derivative of the loss in the outputs; Cov_kl = Σ_j (1 − keep)/keep · a_j² · J_kj·J_lj the covariance of
    the outputs under dropout, with a_j the j-th unit that can drop and J_kj the derivative of output k in it. For a linear
    model with dropped inputs J_kj = w_kj and, for one output, the penalty is the adaptive ridge of Wager, Wang and Liang,

        1/(2n) · (1 − keep)/keep · Σ_j w_j² Σ_i H_i x_ij²,

    exact for squared loss (H = 1), and for logistic loss (H = p(1 − p)) small where the model is confident, so that
    rare but decisive features are penalised less. For deeper networks the covariance is that of the linearised network.

    Parameters
    ----------
    model : nn.Module with Dropout layers, from x to outputs (n, K); its rows must be independent
    x : (n, ...)
    loss : "squared" for ½‖y − f‖², "logistic" for a log loss per output, "softmax" for cross-entropy

    Returns a scalar tensor, differentiable in the parameters: it can be used for training instead of noise.

    References: Wager, Wang, Liang, Dropout training as adaptive regularization, NIPS 2013, arXiv:1307.1493.

    >>> layer = nn.Linear(2, 1, bias=False)
    >>> _ = layer.weight.data.copy_(torch.tensor([[1.0, 2.0]]))
    >>> round(dropout_penalty(nn.Sequential(nn.Dropout(0.5), layer), torch.tensor([[3.0, 1.0]]), loss="squared").item(), 4)
    6.5
    """
    if loss not in _LOSSES:
        raise ValueError(f"Expected loss to be one of {', '.join(_LOSSES)}, got {loss!r}")
    outputs, units, shifts, variances = _evaluated(model, x)
    if outputs.dim() != 2 or len(outputs) != len(x):
        raise ValueError(f"Expected outputs of shape ({len(x)}, K) from the model, got {tuple(outputs.shape)}")
    # Rows do not mix, so the derivative of a column's sum holds each row's own derivative.
    jacobian = [torch.autograd.grad(column.sum(), shifts, create_graph=True) for column in outputs.T]
    spread = torch.zeros((), dtype=outputs.dtype, device=outputs.device)
    for k, (unit, variance) in enumerate(zip(units, variances, strict=True)):
        j = torch.stack([gradients[k] for gradients in jacobian]).flatten(2)  # (K, n, units)
        noise = variance * unit.flatten(1).square()
        if loss == "softmax":
            # H = diag(p) − pp': the trace is Σ_k p_k v_k − variance of the mean output under p.
            p = torch.softmax(outputs, 1).T.unsqueeze(2)
            spread = spread + (((p * j.square()).sum(0) - (p * j).sum(0).square()) * noise).sum()
        else:
            p = torch.sigmoid(outputs)
            curvature = torch.ones_like(p) if loss == "squared" else p * (1.0 - p)
            spread = spread + ((j.square() * noise).sum(2) * curvature.T).sum()
    return spread / (2.0 * len(x))


def _evaluated(model: nn.Module, x: torch.Tensor):
    """Outputs in evaluation, the units in front of each dropout layer, zeros added to them, and (1 − keep)/keep."""
    layers = [layer for _, layer in unit_dropout(model)]
    units, shifts, variances = [], [], []

    def remember(layer, inputs):
        shift = torch.zeros_like(inputs[0]).requires_grad_()
        units.append(inputs[0])
        shifts.append(shift)
        variances.append((1.0 - layer_keep(layer)) / layer_keep(layer))
        return (inputs[0] + shift,)

    handles = [layer.register_forward_pre_hook(remember) for layer in layers]
    modes = {m: m.training for m in model.modules()}
    try:
        outputs = model.eval()(x)
    finally:
        for handle in handles:
            handle.remove()
        for m, training in modes.items():
            m.training = training
    return outputs, units, shifts, variances
