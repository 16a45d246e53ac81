"""Three averages of all sub-networks: MC dropout, weight scaling, and the exact mixture of all 4096 of them.

One hidden layer of 12 units with dropout has 2¹² sub-networks: few enough for an exact sum. MC dropout converges to the
arithmetic mean of their probabilities; weight scaling, one pass in evaluation, is exactly the normalised geometric mean,
because the units feed a softmax.
"""

import argparse

import torch
from sklearn.datasets import make_moons
from torch import nn

from shrinkwise.dropout import Dropout, enumerate_subnetworks, mc_predict
from shrinkwise.dropout.bits import apply_mask

KEEP, UNITS = 0.5, 12


def trained(x, y):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, UNITS), nn.Tanh(), Dropout(keep=KEEP), nn.Linear(UNITS, 2)).double()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(600):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()
    return network


@torch.no_grad()
def exact(network, x):
    """Arithmetic and normalised geometric mean of the class probabilities of all sub-networks."""
    masks, weights = enumerate_subnetworks(UNITS, keep=KEEP)
    logits = network[3](apply_mask(network[:2](x), masks[:, None], KEEP))
    arithmetic = torch.tensordot(weights, torch.softmax(logits, -1), 1)
    return arithmetic, torch.softmax(torch.tensordot(weights, torch.log_softmax(logits, -1), 1), -1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="dropout_averages.png", help="the picture to write")
    out = parser.parse_args().out
    x, y = (torch.tensor(v) for v in make_moons(60, noise=0.25, random_state=0))
    network = trained(x, y)
    arithmetic, geometric = exact(network, x)
    scaled = torch.softmax(network.eval()(x), -1).detach()
    off = lambda p, q: (p - q).abs().max().item()  # noqa: E731
    print(f"weight scaling − geometric mean of all:  {off(scaled, geometric):.1e}")
    print(f"weight scaling − arithmetic mean of all: {off(scaled, arithmetic):.3f}")
    draws = [2**k for k in range(1, 13)]
    errors = [off(mc_predict(network, x, samples=n, task="classification", seed=n).mean, arithmetic) for n in draws]
    from matplotlib.figure import Figure  # needs no screen

    axes = Figure(figsize=(7, 4.5), layout="constrained").subplots()
    axes.loglog(draws, errors, "o-", color="#0b62c4", label="MC dropout")
    axes.axhline(off(scaled, arithmetic), color="0.4", ls="--", label="weight scaling: one pass")
    axes.set(xlabel="draws", ylabel="largest distance to the exact mixture", title="2¹² sub-networks, averaged")
    axes.legend()
    axes.figure.savefig(out, dpi=150)
