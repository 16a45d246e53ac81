"""
The λ you get from an optimizer
===============================

A lasso solved by training a network of one layer, in three ways. L1 in the loss gives no zeros under any optimizer.
Soft-thresholding by lr·λ after each step solves for a different λ: λ(1 − μ) under momentum μ, almost none under Adam.
``sw.attach`` converges to the exact solution.
"""

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.linear_model import Lasso
from torch.optim import SGD, Adam

import shrinkwise as sw

LAM, STEPS, WAYS = 0.05, 500, ("L1 in the loss", "threshold by lr·λ", "sw.attach")
rng = np.random.default_rng(0)
X = rng.standard_normal((200, 30))
y = X @ (rng.standard_normal(30) * (np.arange(30) < 12)) + 0.5 * rng.standard_normal(200)
exact = Lasso(LAM, fit_intercept=False, tol=1e-14, max_iter=100_000).fit(X, y).coef_


def train(way: str, make_optimizer) -> np.ndarray:
    inputs, target = torch.tensor(X), torch.tensor(y)
    torch.manual_seed(0)
    model = torch.nn.Linear(30, 1, bias=False).double()
    optimizer = make_optimizer(model.parameters())
    if way == "sw.attach":
        sw.attach(optimizer, model, sw.L1(LAM))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = 0.5 * torch.nn.functional.mse_loss(model(inputs)[:, 0], target)
        (loss + sw.networks.penalty(model, sw.L1(LAM)) if way == "L1 in the loss" else loss).backward()
        optimizer.step()
        if way == "threshold by lr·λ":
            model.weight.data = sw.L1(LAM).prox(model.weight.data, schedule.get_last_lr()[0])
        schedule.step()
    return model.weight.detach().numpy()[0]


optimizers = {"Adam": partial(Adam, lr=0.05), "SGD, momentum .9": partial(SGD, lr=0.02, momentum=0.9)}
results = {(name, way): train(way, make) for name, make in optimizers.items() for way in WAYS}
print(f"{'optimizer':18}{'penalty':20}{'exact zeros':13}{'KKT/λ':>9}{'distance to the lasso':>24}")
for (name, way), w in results.items():
    residual = sw.L1(LAM).violation(w, X.T @ (X @ w - y) / len(y)).max() / LAM
    zeros, distance = f"{(w == 0).sum()} of {(exact == 0).sum()}", abs(w - exact).max()
    print(f"{name:18}{way:20}{zeros:13}{residual:9.1e}{distance:24.1e}")

figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
for ((name, way), w), axis in zip(results.items(), axes.repeat(3), strict=True):
    axis.semilogy(np.sort(abs(w).clip(1e-9)), ".-", label=way)
    axis.set(title=name, xlabel="weights, smallest first", ylabel="|w|  (1e-9: exactly zero)")
axes[0].legend()
plt.show()
