"""Same λ, same network: which inputs a group lasso selects under Adam, SGD with momentum and RMSprop, on real data.

Mice protein (1080 rows, 77 proteins, 8 classes; with SHRINKWISE_DATA) and scikit-learn's digits (1797 rows, 64 pixels, 10
classes): 32 hidden units, GroupLasso over the columns of the first layer, minibatches of 32, cosine learning rate, 5 seeds.
Two sets A and B of kept inputs overlap by |A ∩ B| / |A ∪ B|; over optimizers at one seed, and, as the measure to read it by,
over seeds with one optimizer. Beside it the loss term with inputs of norm below 1e-3 of the largest counted as removed, and the
group prox of lr·λ after the step.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np
import torch
from benchmarks.common import save
from sklearn.datasets import load_digits
from torch import nn

import shrinkwise as sw
from shrinkwise.networks import penalty as loss_term

SEEDS, EPOCHS, BATCH, HIDDEN = 5, 40, 32, 32
OPTIMIZERS = {
    "Adam": lambda p: torch.optim.Adam(p, lr=3e-3),
    "SGD momentum .9": lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=1e-3),
}
RULES = ("attach", "loss term", "prox lr·λ")


def data() -> dict:
    """{name: (X standardised, class codes, λ)}."""
    X, y = load_digits(return_X_y=True)
    found = {"digits": (X, y, 0.01)}
    path = Path(os.environ.get("SHRINKWISE_DATA", "../shared/data")) / "mice_protein.npz"
    if path.exists():
        mice = np.load(path, allow_pickle=False)
        X = np.asarray(mice["X"], float)
        X = np.where(np.isnan(X), np.nanmean(X, 0), X)
        found["mice protein"] = (X, np.unique(mice["y"], return_inverse=True)[1], 0.01)
    return {name: (standardised(X), np.asarray(y), lam) for name, (X, y, lam) in found.items()}


def standardised(X):
    """Mean 0, variance 1; constant columns 0."""
    scale = X.std(0)
    return (X - X.mean(0)) / np.where(scale > 0, scale, 1.0)


def selected(X, y, lam, name, rule, seed) -> tuple[set[int], float]:
    """(kept inputs, L + λf) of one training."""
    torch.manual_seed(seed)
    x, t = torch.tensor(X, dtype=torch.float32), torch.tensor(y)
    model = nn.Sequential(nn.Linear(X.shape[1], HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, int(y.max()) + 1))
    term = sw.GroupLasso(lam, groups=sw.Groups.columns())
    rules = [sw.rule(term, names="0.weight")]
    optimizer = OPTIMIZERS[name](model.parameters())
    if rule == "attach":
        sw.attach(optimizer, model, rules)
    loss = nn.CrossEntropyLoss()
    steps = EPOCHS * (len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x))[: len(x) // BATCH * BATCH].view(-1, BATCH):
            optimizer.zero_grad()
            value = loss(model(x[rows]), t[rows])
            (value + loss_term(model, rules) if rule == "loss term" else value).backward()
            optimizer.step()
            if rule == "prox lr·λ":
                with torch.no_grad():
                    model[0].weight.copy_(term.prox(model[0].weight, optimizer.param_groups[0]["lr"]))
            schedule.step()
    norms = model[0].weight.detach().norm(dim=0)
    kept = norms > 1e-3 * norms.max() if rule == "loss term" else norms > 0
    with torch.no_grad():
        objective = float(loss(model(x), t)) + float(loss_term(model, rules))
    return set(torch.nonzero(kept)[:, 0].tolist()), objective


def overlap(sets) -> float:
    """Mean over pairs of |A ∩ B| / |A ∪ B|."""
    return float(np.mean([len(a & b) / max(len(a | b), 1) for a, b in itertools.combinations(sets, 2)]))


def main() -> None:
    """Train, print, save."""
    torch.set_num_threads(1)
    rows = []
    for dataset, (X, y, lam) in data().items():
        for rule in RULES:
            seeds = range(SEEDS if rule == "attach" else 2)
            found = {(name, seed): selected(X, y, lam, name, rule, seed) for name in OPTIMIZERS for seed in seeds}
            row = {
                "data": dataset,
                "inputs": int((X.std(0) > 0).sum()),
                "rule": rule,
                "lam": lam,
                "seeds": len(seeds),
                "kept": {name: [len(found[name, seed][0]) for seed in seeds] for name in OPTIMIZERS},
                "objective": {n: round(float(np.mean([found[n, s][1] for s in seeds])), 5) for n in OPTIMIZERS},
                "overlap_of_optimizers": round(
                    float(np.mean([overlap([found[n, s][0] for n in OPTIMIZERS]) for s in seeds])), 3
                ),
                "overlap_of_seeds": round(
                    float(np.mean([overlap([found[n, s][0] for s in seeds]) for n in OPTIMIZERS])), 3
                ),
            }
            rows.append(row)
            kept = "; ".join(f"{name} {sizes}" for name, sizes in row["kept"].items())
            print(f"{dataset}, {rule}: kept of {row['inputs']}: {kept}", flush=True)
            print(
                f"    overlap of optimizers {row['overlap_of_optimizers']:.2f}, of seeds {row['overlap_of_seeds']:.2f}; "
                f"objective {row['objective']}",
                flush=True,
            )
    save("same_lambda", rows, ["torch", "numpy", "scikit-learn"])


if __name__ == "__main__":
    main()
