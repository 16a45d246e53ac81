"""
Weight scaling against Monte Carlo
==================================

One hidden layer of 10 units with dropout has 2¹⁰ sub-networks, few enough for an exact sum. Monte Carlo dropout
approaches the arithmetic mean of their probabilities; weight scaling, one pass in evaluation, is exactly the normalized
geometric mean, because the units feed a softmax.
"""

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import make_moons
from torch import nn

from shrinkwise.dropout import Dropout, enumerate_subnetworks, mc_predict
from shrinkwise.dropout.functional import apply_mask

KEEP, UNITS = 0.5, 10
x, y = (torch.tensor(v) for v in make_moons(60, noise=0.25, random_state=0))
torch.manual_seed(0)
network = nn.Sequential(nn.Linear(2, UNITS), nn.Tanh(), Dropout(keep=KEEP), nn.Linear(UNITS, 2)).double()
optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
for _ in range(300):
    optimizer.zero_grad()
    nn.functional.cross_entropy(network(x), y).backward()
    optimizer.step()

with torch.no_grad():
    masks, weights = enumerate_subnetworks(UNITS, keep=KEEP)
    logits = network[3](apply_mask(network[:2](x), masks[:, None], KEEP))
    arithmetic = torch.tensordot(weights, torch.softmax(logits, -1), 1)
    geometric = torch.softmax(torch.tensordot(weights, torch.log_softmax(logits, -1), 1), -1)
    scaled = torch.softmax(network.eval()(x), -1)


def distance(p, q):
    return (p - q).abs().max().item()


print(f"weight scaling − geometric mean:  {distance(scaled, geometric):.1e}")
print(f"weight scaling − arithmetic mean: {distance(scaled, arithmetic):.3f}")
draws = [2**k for k in range(1, 10)]
errors = [distance(mc_predict(network, x, samples=n, task="classification", seed=n).mean, arithmetic) for n in draws]
figure, axis = plt.subplots(figsize=(7, 4.5), layout="constrained")
axis.loglog(draws, errors, "o-", label="Monte Carlo dropout")
axis.axhline(distance(scaled, arithmetic), color="0.4", ls="--", label="weight scaling: one pass")
axis.set(xlabel="draws", ylabel="largest distance to the mean of all sub-networks")
axis.legend()
plt.show()
