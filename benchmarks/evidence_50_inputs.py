"""50 inputs chosen by a network with a group lasso on its inputs, beside an ExtraTrees filter; and where it was no help.

Protocol: 50 inputs are chosen from the training rows alone, by `InputSelector` (three networks) and by the importances of 500
extremely randomised trees. Two learners, the same for every choice, are then fitted on the chosen inputs of the training rows:
500 extremely randomised trees, and the mean of five networks with 256 hidden units and dropout. Accuracy on the test rows.
Nothing is chosen on test rows; no setting differs between the splits.

* mice protein (1080 rows of 72 animals, 77 proteins, 8 classes; NaN become the training mean): five random splits 70/10/20, of
  which the 10 are left out (rows of one animal are on both sides, so this is easy), and five folds of whole animals.
* MNIST-10k: three samples of 10 000 of the first 30 000 training images, 784 pixels, split 70/10/20 likewise. The settings were
  found on the last 30 000.
* ISOLET (1560 rows, 617 inputs, 26 letters) and Madelon (2600 rows, 500 inputs of which 20 tell the two classes apart, by their
  product): random splits 70/10/20, no setting changed; the second with all but 20 inputs left out.

Data from $SHRINKWISE_DATA: Higuera, Gardiner, Cios (UCI, CC BY 4.0); LeCun, Cortes, Burges; UCI (ISOLET, Madelon).
"""

from __future__ import annotations

import argparse
import os
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from common import save
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import StratifiedGroupKFold, train_test_split
from torch import nn

import shrinkwise as sw
from shrinkwise.networks import Training

FOLDER = Path(os.environ.get("SHRINKWISE_DATA", Path(__file__).parents[2] / "shared" / "data"))
ADAM = partial(torch.optim.Adam, lr=3e-3, fused=True)
# Published or measured elsewhere, by the same names: LassoNet (JMLR 2021), and an ExtraTrees filter of ours.
KNOWN = {"mice, random": (0.958, 0.95), "mice, by animal": (None, 0.70), "MNIST-10k": (0.873, 0.895)}


def split_70_10_20(y, seed):
    """(train, test) rows; a tenth is in neither."""
    rest, test = train_test_split(np.arange(len(y)), test_size=0.2, stratify=y, random_state=seed)
    return train_test_split(rest, test_size=0.125, stratify=y[rest], random_state=seed)[0], test


def tasks() -> dict:
    """{name: (X, y, [(train, test)], k, whether inputs are standardised, epochs of the learner)}."""
    mice = np.load(FOLDER / "mice_protein.npz")
    X, y = mice["X"].astype(float), np.unique(mice["y"], return_inverse=True)[1]
    animals = np.unique(mice["mouse"], return_inverse=True)[1]
    by_animal = StratifiedGroupKFold(5, shuffle=True, random_state=0).split(X, y, animals)
    mnist = np.load(FOLDER / "mnist.npz")
    images, labels = mnist["X_train"][:30000].reshape(-1, 784) / 255.0, mnist["y_train"][:30000].astype(int)
    samples = [np.random.default_rng(seed).permutation(30000)[:10000] for seed in range(3)]
    digits = [tuple(rows[part] for part in split_70_10_20(labels[rows], 0)) for rows in samples]
    found = {
        "mice, random": (X, y, [split_70_10_20(y, seed) for seed in range(5)], 50, True, 60),
        "mice, by animal": (X, y, list(by_animal), 50, True, 60),
        "MNIST-10k": (images, labels, digits, 50, False, 30),
    }
    for name, file, k in (("ISOLET-1560", "isolet_1560.npz", 50), ("Madelon, k = 20", "madelon.npz", 20)):
        data = np.load(FOLDER / file)
        y = np.unique(data["y"], return_inverse=True)[1]
        found[name] = (data["X"].astype(float), y, [split_70_10_20(y, seed) for seed in range(2)], k, True, 60)
    return found


def prepared(X, train, test, standardise: bool):
    """Both parts, NaN at the training mean and, where asked, columns of mean 0 and variance 1 in the training rows."""
    mean, scale = np.nanmean(X[train], 0), np.nanstd(X[train], 0)
    filled = [np.where(np.isnan(X[rows]), mean, X[rows]) for rows in (train, test)]
    return [(part - mean) / np.where(scale > 0, scale, 1.0) for part in filled] if standardise else filled


def trees(seed):
    """The filter, and one of the learners."""
    return ExtraTreesClassifier(500, random_state=seed)


def chosen_by_network(X, y, k, standardise, seed):
    """k inputs by `InputSelector`."""
    training = Training(ADAM, epochs=2 if len(X) > 3000 else 4, start_epochs=15, batch_size=256 if len(X) > 3000 else 64)
    selector = sw.InputSelector(k, n_networks=3, standardise=standardise, training=training, random_state=seed)
    return selector.fit(X, y).get_support(indices=True)


def chosen_by_trees(X, y, k, standardise, seed):
    """The k inputs of the largest importances."""
    return np.argsort(-trees(seed).fit(X, y).feature_importances_, kind="stable")[:k]


def accuracy_of_networks(X, y, X_test, y_test, epochs, seed):
    """Five networks with dropout, their probabilities averaged."""
    x, labels, x_test = torch.tensor(X).float(), torch.tensor(y), torch.tensor(X_test).float()
    total, batches = 0, -(-len(x) // 128)
    for number in range(5):
        torch.manual_seed(100 * seed + number)
        layers = [nn.Linear(x.shape[1], 256), nn.ReLU(), sw.Dropout(keep=0.5), nn.Linear(256, int(y.max()) + 1)]
        model = nn.Sequential(sw.Dropout(keep=0.9), *layers)
        optimizer = ADAM(model.parameters())
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * batches)
        for _ in range(epochs):
            for rows in torch.randperm(len(x)).tensor_split(batches):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x[rows]), labels[rows]).backward()
                optimizer.step()
                schedule.step()
        with torch.no_grad():
            total = total + model.eval()(x_test).softmax(1)
    return float((total.argmax(1).numpy() == y_test).mean())


def compare(name, X, y, splits, k, standardise, epochs) -> dict:
    """Accuracies on every split, for each choice of inputs and each learner."""
    scores: dict = {}
    seconds, overlaps = [], []
    for seed, (train, test) in enumerate(splits):
        A, B = prepared(X, train, test, standardise)
        start = time.process_time()
        sets = {"network": chosen_by_network(A, y[train], k, standardise, seed)}
        seconds.append(time.process_time() - start)
        sets["ExtraTrees filter"] = chosen_by_trees(A, y[train], k, standardise, seed)
        sets["all inputs"] = np.arange(X.shape[1])
        overlaps.append(len(set(sets["network"]) & set(sets["ExtraTrees filter"])) / k)
        for choice, inputs in sets.items():
            a, b = A[:, inputs], B[:, inputs]
            by_trees = trees(seed).fit(a, y[train]).score(b, y[test])
            by_networks = accuracy_of_networks(a, y[train], b, y[test], epochs, seed)
            scores.setdefault(choice, []).append((by_trees, by_networks))
    row = {"task": name, "k": k, "inputs": X.shape[1], "splits": len(splits)}
    row |= dict(zip(("LassoNet, published", "aim"), KNOWN.get(name, (None, None)), strict=True))
    for choice, values in scores.items():
        for learner, accuracy in zip(("trees", "networks"), np.array(values).T, strict=True):
            mean, error = accuracy.mean(), accuracy.std(ddof=1) / len(accuracy) ** 0.5
            row[f"{choice}, {learner}"] = [round(float(mean), 4), round(float(error), 4)]
            print(f"{name:16} {choice:18} {learner:9} {mean:.3f} ± {error:.3f}", flush=True)
    row |= {"seconds to choose": round(float(np.mean(seconds)), 1), "shared inputs": round(float(np.mean(overlaps)), 3)}
    return row


def main() -> None:
    """Run, print, save."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="part of a task's name; prints, saves nothing")
    only = parser.parse_args().only
    rows = [compare(name, *task) for name, task in tasks().items() if only is None or only in name]
    if only is None:
        save("evidence_50_inputs", rows, ["torch", "numpy", "scikit-learn"])


if __name__ == "__main__":
    main()
