"""Networks that lose channels, units and heads in training: one training run of one case, and what is measured of it.

MNIST; λ rises linearly over a first share of the steps and is off from a later one on, where `reg.refit()` keeps the zeros and
trains the other weights without shrinking them. This is one training run: the learning rate of Adam falls to zero along one
cosine, a dense network is trained for as many steps, and the compact network is scored as it leaves `compact`.
"""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from benchmarks.common import interleave, medians
from benchmarks.networks.compact_models import lenet300, resnet20
from torch import nn

import shrinkwise as sw
from shrinkwise.networks import ramp, removable

HELD_OUT = 10_000
# Mean and deviation of all pixels / 255 of the training images.
MEAN, DEVIATION = 0.1307, 0.3081


class Images(NamedTuple):
    """Images (n, 1, 28, 28) and their labels."""

    x: torch.Tensor
    y: torch.Tensor

    def take(self, rows) -> Images:
        """Some of them."""
        return Images(self.x[rows], self.y[rows])


def mnist(folder: Path | None = None) -> tuple[Images, Images, Images]:
    """(50 000 images to train on, 10 000 to choose λ on, 10 000 test images), standardised."""
    folder = folder or Path(os.environ.get("SHRINKWISE_DATA", Path(__file__).parents[4] / "shared" / "data"))
    data = np.load(folder / "mnist.npz")
    order = np.random.default_rng(0).permutation(len(data["y_train"]))

    def images(pixels, labels) -> Images:
        x = torch.tensor(pixels[:, None] / 255.0, dtype=torch.float32)
        return Images((x - MEAN) / DEVIATION, torch.tensor(labels).long())

    train = images(data["X_train"][order], data["y_train"][order])
    parts = (slice(-HELD_OUT), slice(-HELD_OUT, None))
    return train.take(parts[0]), train.take(parts[1]), images(data["X_test"], data["y_test"])


class ImageTransformer(nn.Module):
    """Four encoder blocks over the 28 rows of an image: width 64, 4 heads, 256 units."""

    def __init__(self):
        super().__init__()
        self.embed, self.place = nn.Linear(28, 64), nn.Parameter(0.02 * torch.randn(28, 64))
        layer = nn.TransformerEncoderLayer(64, 4, 256, dropout=0.0, activation="gelu", batch_first=True)
        self.blocks, self.out = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False), nn.Linear(64, 10)

    def forward(self, x):
        """Scores of the classes, from the mean over the rows."""
        return self.out(self.blocks(self.embed(x.squeeze(1)) + self.place).mean(1))


def lenet5() -> nn.Module:
    """LeNet-5 as Caffe has it: 20 and 50 filters, 500 units; channels last, which trains a quarter faster here."""
    net = nn.Sequential(
        nn.Conv2d(1, 20, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10),
    )  # fmt: skip
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class Chosen(nn.Module):
    """The entries of its input with the numbers in a buffer, from which `compact` removes those that no unit reads."""

    def __init__(self, n: int):
        super().__init__()
        self.register_buffer("used", torch.arange(n))

    def forward(self, x):
        """Shape (rows, numbers)."""
        return x.flatten(1)[:, self.used]


class Colours(nn.Module):
    """A network for colour images on grey ones, halved to 14 × 14 pixels so that it trains in minutes on a processor."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x):
        """The outputs of the network."""
        return self.net(nn.functional.avg_pool2d(x, 2).expand(-1, 3, -1, -1))


@dataclass(frozen=True)
class Case:
    """A network, its penalty on removable groups for a λ, and how it is trained."""

    make: Callable[[], nn.Module]
    flat_from: float  # groups whose root mean square is beyond it are not shrunk
    power: float = 0.0  # λ of a filter is multiplied by (places at which it is applied)^power
    l1: float = 0.0  # λ of L1 on the single weights, as a share of λ
    # Of a network of linear layers: the groups are their columns, all weights that read one input or one unit, and λ of
    # those of each layer is multiplied by this.
    columns: tuple[float, ...] = ()
    rows: int = 50_000
    epochs: int = 6
    batch: int = 64
    lr: float = 2e-3
    ramp: float = 1 / 3  # the share of the steps after which λ has its full value
    refit: float = 2 / 3  # the share after which it is off and the zeros are kept; 1: never
    onnx: bool = False  # whether the compact network is exported and compared with onnxruntime

    def penalty(self, lam: float, model: nn.Module, x: torch.Tensor):
        """Group MCP with λ c_g, c_g = √size of the group, times the factor of its places or of its layer."""
        if self.columns:
            names = [f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.Linear)]
            pairs = zip(names, self.columns, strict=True)
            return [sw.rule(self.mcp(lam, sw.Groups.columns(), factor), names=name) for name, factor in pairs]
        groups = removable(model, x)
        weights = np.sqrt(groups.sizes((groups.size,))) * places(groups, model, x) ** self.power
        return self.mcp(lam, groups, weights=weights)

    def mcp(self, lam: float, groups, factor: float = 1.0, weights=None):
        """Group MCP with λ · factor, and L1."""
        grouped = sw.GroupMCP(lam * factor, groups, gamma=self.flat_from / lam, weights=weights)
        return grouped + sw.L1(self.l1 * lam) if self.l1 else grouped


CASES = {
    "LeNet-5": Case(lenet5, 0.04, power=0.25, batch=128, lr=3e-3),
    # The scales of its normalizations have to come from 1 to 0: a high rate.
    "ResNet-20": Case(lambda: Colours(resnet20(16)), 0.3, power=0.5, rows=8000, epochs=5, lr=8e-3),
    # With fewer images the dense network is larger than it has to be, and learns them by heart.
    "transformer": Case(ImageTransformer, 0.15, l1=0.3, rows=3000, epochs=20, onnx=True),
    # L1 alone, at 3e-4, also removes most of the columns (`networks/evidence_lenet.py`).
    "LeNet-300-100": Case(
        lambda: nn.Sequential(Chosen(784), *lenet300()),
        0.04,
        l1=5.7,
        columns=(1.3, 1.8, 2.5),
        epochs=16,
        batch=128,
        ramp=1 / 8,
        refit=0.4,
    ),
}


def places(groups, model: nn.Module, x: torch.Tensor) -> np.ndarray:
    """For each group the largest number of places of an image at which one of its layers is applied."""
    seen: dict[str, int] = {}

    def note(name):
        return lambda module, inputs, output: seen.update({name: math.prod(output.shape[2:])})

    handles = [m.register_forward_hook(note(name)) for name, m in model.named_modules() if isinstance(m, nn.Conv2d)]
    with torch.no_grad():
        model(x)
    for handle in handles:
        handle.remove()
    found = np.ones(len(groups))
    for number, group in enumerate(groups.groups):
        found[number] = max(seen.get(name.rpartition(".")[0], 1) for name, _ in group.members)
    return found


@dataclass(frozen=True)
class Run:
    """A case at λ = `lam` (0: the dense network) from one seed."""

    case: str
    lam: float
    seed: int

    def carry_out(self, train: Images, scored: Images) -> dict:
        """Train, compact, and measure both networks on `scored`."""
        case = CASES[self.case]
        start = time.process_time()
        model, reg = fitted(case, self, train.take(slice(case.rows)))
        row = {**asdict(self), "processor_seconds": time.process_time() - start, "trained": measured(model, scored)}
        if reg is None:
            return row
        small, proof = reg.compact(train.x[:64])
        report = reg.report()
        if case.onnx:
            row["onnx_relative_diff"] = onnx_difference(small, scored.x[:64])
        return {
            **row,
            "compact": measured(small, scored),
            "groups": (report.zero_groups, report.groups),
            "parameters": proof.parameters,
            "megabytes": [4e-6 * n for n in proof.parameters],
            "macs": proof.macs,
            "milliseconds": pass_times(model, small, train.x[:64]),
            "relative_diff": proof.relative_diff,
        }


def fitted(case: Case, run: Run, train: Images):
    """(the trained network, its regularization or None)."""
    torch.manual_seed(run.seed)
    model = case.make()
    optimizer = torch.optim.Adam(model.parameters(), lr=case.lr)
    reg, before = None, {}
    if run.lam:
        penalty, steps = case.penalty(run.lam, model, train.x[:2]), case.epochs * (len(train.y) // case.batch)
        reg = sw.attach(optimizer, model, penalty, schedule=ramp(0, int(case.ramp * steps)))
        before = {int(case.refit * steps): reg.refit}
    train_on(model, optimizer, train, case, case.epochs, run.seed, before)
    return model, reg


def train_on(model: nn.Module, optimizer, train: Images, case: Case, epochs: int, seed: int, before=None) -> None:
    """Train for some epochs, the learning rate falling to zero along a cosine; `before` has what is done before a step."""
    generator, steps = torch.Generator().manual_seed(seed), len(train.y) // case.batch
    for epoch in range(epochs):
        order = torch.randperm(len(train.y), generator=generator)[: steps * case.batch]
        for k, rows in enumerate(order.split(case.batch)):
            (before or {}).get(epoch * steps + k, lambda: None)()
            for group in optimizer.param_groups:
                group["lr"] = 0.5 * case.lr * (1.0 + math.cos(math.pi * (epoch + k / steps) / epochs))
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(train.x[rows]), train.y[rows]).backward()
            optimizer.step()


def pass_times(model: nn.Module, small: nn.Module, x: torch.Tensor) -> list[float]:
    """Milliseconds of processor time of a pass of both networks, medians of passes in turn."""
    nets = {"before": model.eval(), "after": small.eval()}
    with torch.no_grad():
        taken = interleave({k: partial(net, x) for k, net in nets.items()}, 50, time.process_time)
    return [1e3 * seconds for seconds in medians(taken).values()]


def onnx_difference(model: nn.Module, x: torch.Tensor) -> float:
    """Largest difference of onnxruntime's outputs from torch's, as a share of the largest output."""
    import onnxruntime

    model.eval()
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        file = str(Path(folder) / "model.onnx")
        torch.onnx.export(model, (x,), file, dynamo=True, verbose=False)
        session = onnxruntime.InferenceSession(file)
        found, expected = session.run(None, {session.get_inputs()[0].name: x.numpy()})[0], model(x).numpy()
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@torch.no_grad()
def measured(model: nn.Module, images: Images) -> dict:
    """Error in per cent and mean loss of a network in evaluation."""
    model.eval()
    outputs = torch.cat([model(x) for x in images.x.split(500)])
    model.train()
    wrong = (outputs.argmax(1) != images.y).float().mean()
    return {"error": 100 * float(wrong), "loss": float(nn.functional.cross_entropy(outputs, images.y))}
