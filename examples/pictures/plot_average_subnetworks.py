"""
Averaging sub-networks
======================

A network trained with dropout is many networks that share their weights. Each thin line is the boundary between two
classes of one sub-network; the thick line is the boundary of their average, which weight scaling approximates in one
pass.
"""

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import make_moons
from torch import nn

from shrinkwise.dropout import Dropout, mc_predict, subnetworks

x, y = (torch.tensor(v) for v in make_moons(60, noise=0.25, random_state=0))
x = x.float()
torch.manual_seed(0)
network = nn.Sequential(nn.Linear(2, 48), nn.Tanh(), Dropout(keep=0.7), nn.Linear(48, 2))
optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
for _ in range(150):
    optimizer.zero_grad()
    nn.functional.cross_entropy(network(x), y).backward()
    optimizer.step()

horizontal, vertical = torch.linspace(-1.8, 2.8, 60), torch.linspace(-1.4, 2.0, 60)
grid = torch.cartesian_prod(horizontal, vertical)
figure, axis = plt.subplots(figsize=(7, 5), layout="constrained")
for member in subnetworks(network, 20):
    logits = member(grid).detach()
    axis.contour(
        horizontal, vertical, (logits[:, 1] - logits[:, 0]).view(60, 60).T, [0.0], colors="0.7", linewidths=0.8
    )
mean = mc_predict(network, grid, samples=300, task="classification", seed=0).mean[:, 1]
axis.contour(horizontal, vertical, mean.view(60, 60).T, [0.5], colors="#0b62c4", linewidths=2.5)
axis.scatter(*x.T, c=y, cmap="coolwarm", edgecolors="white", zorder=3)
axis.set(xticks=[], yticks=[], title="20 sub-networks and the mean of 300 draws")
plt.show()
