"""
Uncertainty by dropout
======================

The spread of a network's predictions over draws of dropout, within the data and far from it.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn

from shrinkwise.dropout import Dropout, mc_predict, subnetworks


def data(n=120):
    generator = torch.Generator().manual_seed(0)
    x = torch.cat(
        [torch.rand(n // 2, 1, generator=generator) - 2.0, torch.rand(n // 2, 1, generator=generator) * 1.5 + 0.5]
    )
    return x, torch.sin(2.5 * x) + 0.1 * torch.randn(n, 1, generator=generator)


def trained(x, y):
    torch.manual_seed(0)
    layers = [nn.Linear(1, 64), nn.ReLU(), Dropout(keep=0.9), nn.Linear(64, 64), nn.ReLU(), Dropout(keep=0.9)]
    network = nn.Sequential(*layers, nn.Linear(64, 1))
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(400):
        optimizer.zero_grad()
        nn.functional.mse_loss(network(x), y).backward()
        optimizer.step()
    return network


x, y = data()
network, grid = trained(x, y), torch.linspace(-4, 4, 400)[:, None]
found = mc_predict(network, grid, samples=300, task="regression", seed=0)
mean, deviation = found.mean[:, 0], found.variance[:, 0].sqrt()
inside = (grid[:, 0] > -2) & (grid[:, 0] < -1) | (grid[:, 0] > 0.5) & (grid[:, 0] < 2)
print(f"mean spread within the data {deviation[inside].mean():.3f}, elsewhere {deviation[~inside].mean():.3f}")
figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
for member in subnetworks(network, 25):
    axes.plot(grid, member(grid).detach(), color="#0b62c4", lw=0.5, alpha=0.5)
axes.fill_between(grid[:, 0], mean - 2 * deviation, mean + 2 * deviation, color="#9cc3ea", alpha=0.5, lw=0)
axes.plot(grid, mean, color="#0b62c4", lw=2, label="mean of 300 draws, ± 2 standard deviations, and 25 sub-networks")
axes.plot(x, y, "o", color="0.2", ms=3, label="data")
axes.set(ylim=(-4, 4), title="MC dropout")
axes.legend(loc="upper left")
plt.show()
