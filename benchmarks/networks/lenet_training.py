"""LeNet-300-100 on MNIST with few non-zero weights: one training run of one arm, and what is measured of it.

784-300-100-10, 266 200 weights and 410 biases (the biases are neither penalised nor counted), ReLU, dropout on hidden
units. Pixels standardised by one mean and one deviation for all. Adam; the learning rate falls to zero along a cosine in
the sparse epochs and once more, from a fraction of it, in the refit, in which only the weights that are not zero move and
nothing is penalised.
"""

from __future__ import annotations

import itertools
import math
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

import shrinkwise as sw
from shrinkwise.networks import penalty as loss_term
from shrinkwise.networks import ramp

SIZES = (784, 300, 100, 10)
WEIGHTS = sum(a * b for a, b in itertools.pairwise(SIZES))
HELD_OUT = 10_000
# Mean and deviation of all pixels / 255 of the training images.
MEAN, DEVIATION = 0.1307, 0.3081
# Below this a weight that the loss term alone has shrunk is called zero: its jitter is of the size of the last steps.
CUT = 1e-3


@dataclass(frozen=True)
class Run:
    """What is trained: `arm` at λ = `lam` from one seed, on all images but the held-out ones or (`final`) on all."""

    arm: str
    lam: float
    seed: int
    final: bool = False
    batch: int = 64
    lr: float = 3e-3
    keep: float = 0.95
    flat_from: float = 0.3
    sparse_epochs: int = 10
    ramp_epochs: int = 5
    refit_epochs: int = 5
    refit_lr: float = 1e-3
    inputs: str = "standardised"  # or "/255"

    @property
    def penalty(self):
        """L1, or MCP whose slope falls from λ at zero to 0 at `flat_from`."""
        return sw.MCP(self.lam, gamma=self.flat_from / self.lam) if self.arm == "MCP" else sw.L1(self.lam)

    @property
    def key(self) -> dict:
        """The fields as they stand in the results."""
        return asdict(self)


class Images(NamedTuple):
    """Rows of pixels and their labels."""

    x: torch.Tensor
    y: torch.Tensor


class Mnist:
    """The training images in one fixed order, of which the last 10 000 may be held out, and the test images."""

    def __init__(self, folder: Path | None = None):
        folder = folder or Path(os.environ.get("SHRINKWISE_DATA", Path(__file__).parents[3] / "shared" / "data"))
        data = np.load(folder / "mnist.npz")
        order = np.random.default_rng(0).permutation(len(data["y_train"]))
        self.train = self._images(data["X_train"][order], data["y_train"][order])
        self.test = self._images(data["X_test"], data["y_test"])

    @staticmethod
    def _images(pixels, labels) -> Images:
        flat = torch.tensor(pixels.reshape(len(pixels), -1) / 255.0, dtype=torch.float32)
        return Images(flat, torch.tensor(labels).long())

    def split(self, run: Run) -> tuple[Images, Images]:
        """(images to train on, images to score): the test images are scored by final runs alone."""
        fit, scored = self.train, self.test
        if not run.final:
            fit, scored = (Images(*(v[rows] for v in fit)) for rows in (slice(-HELD_OUT), slice(-HELD_OUT, None)))
        if run.inputs == "/255":
            return fit, scored
        fit, scored = (Images((images.x - MEAN) / DEVIATION, images.y) for images in (fit, scored))
        return fit, scored


def network(keep: float) -> nn.Sequential:
    """LeNet-300-100."""
    return nn.Sequential(
        nn.Linear(784, 300), nn.ReLU(), sw.Dropout(keep=keep),
        nn.Linear(300, 100), nn.ReLU(), sw.Dropout(keep=keep),
        nn.Linear(100, 10),
    )  # fmt: skip


class Training:
    """The plain loop; `arms` change what is attached to the optimizer and what is done around its step."""

    def __init__(self, run: Run, images: Images):
        torch.manual_seed(run.seed)
        self.run, self.images = run, images
        self.model = network(run.keep)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=run.lr, fused=True)
        self.generator = torch.Generator().manual_seed(run.seed)
        self.epoch_steps = len(images.y) // run.batch
        self.lam_at = ramp(0, run.ramp_epochs * self.epoch_steps)

    @property
    def weights(self) -> list[nn.Parameter]:
        """The three matrices."""
        return [layer.weight for layer in self.model if isinstance(layer, nn.Linear)]

    def epochs(self, count: int, lr: float, loss, after=lambda step: None, optimizer=None) -> None:
        """Train for `count` epochs, the learning rate falling from lr to zero along a cosine."""
        optimizer, steps, step = optimizer or self.optimizer, count * self.epoch_steps, 0
        for _ in range(count):
            order = torch.randperm(len(self.images.y), generator=self.generator)
            x, y = self.images.x[order], self.images.y[order]
            for k in range(self.epoch_steps):
                rows = slice(k * self.run.batch, (k + 1) * self.run.batch)
                for group in optimizer.param_groups:
                    group["lr"] = 0.5 * lr * (1.0 + math.cos(math.pi * step / steps))
                optimizer.zero_grad()
                loss(self.model(x[rows]), y[rows], step).backward()
                optimizer.step()
                after(step)
                step += 1


def plain(output, y, step):
    """The data term."""
    return nn.functional.cross_entropy(output, y)


# --- arms: each leaves its zeros in the model ------------------------------------------------------------------
def by_attach(training: Training):
    """This library: two lines."""
    reg = sw.attach(training.optimizer, training.model, training.run.penalty, schedule=training.lam_at)
    training.epochs(training.run.sparse_epochs, training.run.lr, plain)
    return reg


def by_loss_term(training: Training):
    """λΣ|w| in the loss: no exact zeros; `carry_out` cuts."""
    term, model = sw.L1(1.0), training.model

    def loss(output, y, step):
        return plain(output, y, step) + training.run.lam * training.lam_at(step) * loss_term(model, term)

    training.epochs(training.run.sparse_epochs, training.run.lr, loss)


def by_prox(training: Training):
    """Adam's step, then soft-thresholding by lr·λ."""
    term = sw.L1(1.0)

    @torch.no_grad()
    def after(step):
        lam = training.run.lam * training.lam_at(step) * training.optimizer.param_groups[0]["lr"]
        for w in training.weights:
            w.copy_(term.prox(w, lam))

    training.epochs(training.run.sparse_epochs, training.run.lr, plain, after)


def by_pat(training: Training):
    """torchao's PAT around Adam: its latent is thresholded by λ times the sum of the learning rates so far."""
    from torchao.prototype.pat.optim import PruneOptimizer

    weights = {id(w) for w in training.weights}
    rest = [p for p in training.model.parameters() if id(p) not in weights]
    pruned = {"params": training.weights, "group_type": "ElemGrouper", "prox_type": "ProxLasso"}
    base = torch.optim.Adam([pruned, {"params": rest}], lr=training.run.lr, fused=True)
    wrapped = PruneOptimizer(base, reg_lambda=training.run.lam)
    training.epochs(training.run.sparse_epochs, training.run.lr, plain, optimizer=wrapped)


ARMS = {"L1": by_attach, "MCP": by_attach, "loss term": by_loss_term, "prox lr·λ": by_prox, "torchao PAT": by_pat}


# --- what is measured --------------------------------------------------------------------------------------------
@torch.no_grad()
def score(model: nn.Module, images: Images) -> tuple[float, float]:
    """Percent of wrong labels and mean cross-entropy, dropout off."""
    model.eval()
    output = model(images.x)
    model.train()
    wrong = (output.argmax(1) != images.y).double().mean()
    return 100.0 * wrong.item(), nn.functional.cross_entropy(output, images.y).item()


def compression(weights) -> float:
    """All weights over those that are not exactly zero."""
    return round(WEIGHTS / max(sum(int((w != 0).sum()) for w in weights), 1), 2)


def carry_out(run: Run, data: Mnist) -> dict:
    """Sparse epochs, refit, and the measurements of both."""
    start, (images, scored) = time.process_time(), data.split(run)
    kind = "test" if run.final else "validation"
    training = Training(run, images)
    reg = ARMS[run.arm](training)
    exact = compression(training.weights)
    if run.arm == "loss term":
        for w in training.weights:
            w.data[w.data.abs() < CUT] = 0.0
    before, _ = score(training.model, scored)
    if reg is None:
        training.optimizer = torch.optim.Adam(training.model.parameters(), lr=run.refit_lr, fused=True)
        reg = sw.attach(training.optimizer, training.model, sw.L1(run.lam))
    reg.refit()
    training.epochs(run.refit_epochs, run.refit_lr, plain)
    wrong, loss = score(training.model, scored)
    return {
        **run.key,
        "scored on": kind,
        "error": round(wrong, 3),
        "cross-entropy": round(loss, 5),
        "error before the refit": round(before, 3),
        "compression": compression(training.weights),
        "compression before any cut": exact,
        "weights left": [int((w != 0).sum()) for w in training.weights],
        "inputs in use": [int((w != 0).any(0).sum()) for w in training.weights],
        "cpu seconds": round(time.process_time() - start),
    }
