"""Small penalised least-squares problems, and exact solutions that use nothing of the package."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn


def regression(n=100, d=20, outputs=1, seed=0):
    """X (n, d) with correlated columns, Y (n, outputs) of which half the inputs matter."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) + 0.3 * rng.standard_normal((n, 1))
    W = rng.standard_normal((outputs, d)) * (np.arange(d) < d // 2)
    return X, X @ W.T + 0.3 * rng.standard_normal((n, outputs))


def elastic_net_solution(X, y, l1, l2=0.0):
    """argmin 1/(2n) ‖y − Xw‖² + Σ l1|w| + Σ l2/2 w² by cyclic coordinate descent to the last bits."""
    n, w = len(X), np.zeros(X.shape[1])
    squares, residual = (X**2).sum(0) / n, y.copy()
    l1, l2 = np.broadcast_to(l1, w.shape), np.broadcast_to(l2, w.shape)
    for _ in range(2000):
        old = w.copy()
        for j in range(len(w)):
            rho = X[:, j] @ residual / n + squares[j] * w[j]
            new = np.sign(rho) * max(abs(rho) - l1[j], 0.0) / (squares[j] + l2[j])
            residual += X[:, j] * (w[j] - new)
            w[j] = new
        if np.abs(w - old).max() <= 1e-16:
            break
    return w


def group_solution(X, Y, lam):
    """argmin 1/(2n) ‖Y − XW'‖² + lam √k Σ_columns ‖W_:j‖ for W of shape (k, d), by accelerated proximal gradient."""
    n, k = len(X), Y.shape[1]
    gram, cross = X.T @ X / n, Y.T @ X / n
    step = 1.0 / np.linalg.eigvalsh(gram)[-1]
    W = V = np.zeros((k, X.shape[1]))
    for i in range(20000):
        U = V - step * (V @ gram - cross)
        norms = np.linalg.norm(U, axis=0)
        new = U * np.maximum(1.0 - step * lam * np.sqrt(k) / np.maximum(norms, 1e-300), 0.0)
        momentum = i / (i + 3) if ((V - new) * (new - W)).sum() <= 0 else 0.0  # restarted when it points uphill
        V, W = new + momentum * (new - W), new
    return W


def linear(X, Y, seed=0):
    """A one-layer network for the data, float64 and without bias, with its mean-loss closure."""
    torch.manual_seed(seed)
    model = nn.Linear(X.shape[1], Y.shape[1], bias=False).double()
    X, Y = torch.as_tensor(X), torch.as_tensor(Y)
    return model, lambda: 0.5 * (model(X) - Y).square().sum(1).mean()


def train(optimizer, loss, steps, decay=True):
    """Full-batch training; the learning rate decays to zero along a cosine."""
    rates = [group["lr"] for group in optimizer.param_groups]
    for k in range(steps):
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * 0.5 * (1 + np.cos(np.pi * k / steps)) if decay else rate
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate


class Lion(torch.optim.Optimizer):
    """A sign method written elsewhere: torch does not know its weight decay."""

    def __init__(self, params, lr=1e-3, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["average"] = torch.zeros_like(p)
                average = state["average"]
                p.sub_(group["lr"] * (average * 0.9 + p.grad * 0.1).sign())
                average.mul_(0.99).add_(p.grad, alpha=0.01)
