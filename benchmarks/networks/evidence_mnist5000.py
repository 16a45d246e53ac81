"""Dropout with little data: the first 5000 of MNIST, 784-800-800-10, against none and weight decay; and where it is no help.

Protocol: rows permuted with seed 0, the first 5000 to train, the 10 000 test images to score; SGD .1 with momentum .9,
batches of 100, cosine to zero, 25 epochs; keep .8 of the inputs and .5 of the hidden units. Weight decay, alone and beside
dropout, is chosen on the next 10 000 training images, not on the test images. Three seeds of initial weights and batches.
The rows below it ask the same of nets with one hidden layer and of the 8×8 digits of scikit-learn.
Data: MNIST (LeCun, Cortes, Burges) from $SHRINKWISE_DATA.
"""

from __future__ import annotations

import itertools
import os
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from benchmarks.common import save
from sklearn.datasets import load_digits
from torch import nn

import shrinkwise as sw

SEEDS = (0, 1, 2)
DECAYS = (3e-4, 1e-3, 3e-3, 1e-2)


def network(sizes, *, keep_input=1.0, keep_hidden=1.0) -> nn.Sequential:
    """Linear layers with ReLU, dropout before each of them."""
    layers = []
    for k, (a, b) in enumerate(itertools.pairwise(sizes)):
        layers += [sw.Dropout(keep=keep_hidden if k else keep_input), nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def train(net, x, y, *, decay=0.0, epochs=25, batch=100, seed=0) -> nn.Sequential:
    """SGD with momentum, cosine to zero."""
    steps = epochs * (len(x) // batch)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=decay, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=generator).split(batch):
            if len(rows) == batch:
                optimizer.zero_grad()
                nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
                optimizer.step()
                schedule.step()
    return net.eval()


@torch.no_grad()
def error(net, x, y) -> float:
    """Percent of wrong labels."""
    return 100.0 * (net(x).argmax(1) != y).double().mean().item()


def fitted(sizes, data, seed, decay=0.0, **keeps):
    """A net trained from one seed."""
    torch.manual_seed(seed)
    return train(network(sizes, **keeps), *data, decay=decay, seed=seed)


def compare(name, sizes, data, test, arms, published=None) -> list[dict]:
    """The error of every arm over the seeds, printed and returned."""
    rows = []
    for arm, options in arms.items():
        start = time.perf_counter()
        errors = [error(fitted(sizes, data, seed, **options), *test) for seed in SEEDS]
        seconds = (time.perf_counter() - start) / len(SEEDS)
        row = {"task": name, "arm": arm, "test errors": [round(e, 3) for e in errors]}
        row |= {
            "mean": round(statistics.mean(errors), 3),
            "standard error": round(statistics.stdev(errors) / 3**0.5, 3),
        }
        row |= {
            "weight decay": options.get("decay", 0.0),
            "known": (published or {}).get(arm),
            "seconds a seed": round(seconds, 1),
        }
        rows.append(row)
        print(
            f"{name:24} {arm:28} {row['mean']:6.2f} ± {row['standard error']:.2f} %   known {row['known']}   "
            f"{row['seconds a seed']} s a seed",
            flush=True,
        )
    return rows


def chosen_decay(sizes, data, held_out, **keeps) -> float:
    """The weight decay with the lowest error on the held-out images, one seed each."""
    return min(DECAYS, key=lambda decay: error(fitted(sizes, data, 0, decay, **keeps), *held_out))


def main() -> None:
    """Run and save."""
    torch.set_num_threads(1)
    folder = Path(os.environ.get("SHRINKWISE_DATA", Path(__file__).parents[3] / "shared" / "data"))
    mnist = np.load(folder / "mnist.npz")
    order = np.random.default_rng(0).permutation(60000)
    images = torch.tensor(mnist["X_train"][order[:15000]].reshape(-1, 784) / 255.0, dtype=torch.float32)
    labels = torch.tensor(mnist["y_train"][order[:15000]], dtype=torch.long)
    test = (
        torch.tensor(mnist["X_test"].reshape(-1, 784) / 255.0, dtype=torch.float32),
        torch.tensor(mnist["y_test"]).long(),
    )
    data, held_out = (images[:5000], labels[:5000]), (images[5000:], labels[5000:])

    deep, shallow = (784, 800, 800, 10), (784, 800, 10)
    kept = {"keep_input": 0.8, "keep_hidden": 0.5}
    tuned = chosen_decay(deep, data, held_out), chosen_decay(deep, data, held_out, **kept)
    print(f"weight decays chosen: alone {tuned[0]:g}, beside dropout {tuned[1]:g}")
    arms = {"none": {}, "weight decay": {"decay": tuned[0]}, "dropout .8/.5": kept}
    arms["dropout .8/.5, weight decay"] = {"decay": tuned[1], **kept}
    known = {"none": 4.91, "weight decay": 4.75, "dropout .8/.5": 3.91}
    rows = compare("MNIST-5000, two hidden", deep, data, test, arms, known)
    two = {"none": {}, "dropout .8/.5": kept, "dropout 1/.5": {"keep_hidden": 0.5}}
    rows += compare("MNIST-5000, one hidden", shallow, data, test, two)
    x, y = (torch.tensor(v) for v in load_digits(return_X_y=True))
    mixed = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    x, y = x[mixed].float() / 16.0, y[mixed]
    rows += compare("8×8 digits, 64-100-10", (64, 100, 10), (x[:1000], y[:1000]), (x[1000:], y[1000:]), two)
    save("evidence_mnist5000", rows, ["torch", "numpy", "scikit-learn"])


if __name__ == "__main__":
    main()
