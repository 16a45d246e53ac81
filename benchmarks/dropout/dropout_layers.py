"""What the structured dropout layers save or cost, one thread, medians of interleaved rounds.

A step is forward, backward and a fused SGD step. Bars: DropPath at keep .8 and .5 in a transformer step ≤ .85 and .60 of
the step that runs every branch; UnitDropout at keep .5 in the step of a 784-1024-1024-10 net ≤ .60 of the step without
dropout; ConcreteDropout and DropConnect at least twice as fast, forward and backward, as written by hand in torch (for
ConcreteDropout the noise alone; in front of 1024 units the product takes most of the time).
"""

from __future__ import annotations

import statistics

import torch
from benchmarks.common import clock_asked, interleave, save
from torch import nn
from torch.nn import functional as F

from shrinkwise.dropout import ConcreteDropout, DropConnect, DropPath, UnitDropout
from shrinkwise.dropout.layers.concrete import concrete_dropout


class Attention(nn.Module):
    """The attention branch of a pre-norm transformer block."""

    def __init__(self, width: int):
        super().__init__()
        self.norm, self.attend = nn.LayerNorm(width), nn.MultiheadAttention(width, 4, batch_first=True)

    def forward(self, x):
        """Self-attention of the normalised input."""
        x = self.norm(x)
        return self.attend(x, x, x, need_weights=False)[0]


def transformer(keep: float, width: int = 256, blocks: int = 2) -> nn.Sequential:
    """Pre-norm blocks whose two branches are kept with probability `keep`."""
    layers = []
    for _ in range(blocks):
        feed = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        layers += [DropPath(branch, keep=keep) for branch in (Attention(width), feed)]
    return nn.Sequential(*layers)


def mlp() -> nn.Sequential:
    """784-1024-1024-10 with ReLU."""
    return nn.Sequential(*(nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 10)))


def step(network, x, loss):
    """Forward, backward and a fused SGD step."""
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, fused=True)

    def run():
        optimizer.zero_grad()
        loss(network(x)).backward()
        optimizer.step()

    return run


class ConcreteByHand(nn.Module):
    """Concrete dropout as its authors' code writes it, on the input of a layer."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.logit = layer, nn.Parameter(torch.tensor(-2.0))

    def forward(self, x):
        """The layer of the input with a relaxed mask."""
        p, u, eps = torch.sigmoid(self.logit), torch.rand_like(x), 1e-7
        odds = torch.log(p + eps) - torch.log(1 - p + eps) + torch.log(u + eps) - torch.log(1 - u + eps)
        return self.layer(x * (1 - torch.sigmoid(odds / 0.1)) / (1 - p))


class ConcreteNoise(nn.Module):
    """Our concrete dropout without a layer behind it."""

    def __init__(self):
        super().__init__()
        self.logit = nn.Parameter(torch.tensor(2.0))

    def forward(self, x):
        """The input with a relaxed mask."""
        return concrete_dropout(x, self.logit)


class ConnectByHand(nn.Module):
    """DropConnect of a Linear layer by torch's dropout."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        """The layer with dropped weights."""
        return F.linear(x, F.dropout(self.layer.weight, 0.5), self.layer.bias)


def forward_backward(network, x):
    """Forward and backward as a user calls them."""
    x = x.clone().requires_grad_()
    upstream = torch.ones_like(network(x))

    def run():
        x.grad = None
        network.zero_grad()
        network(x).backward(upstream)

    return run


def main() -> None:
    """Measure, print and save."""
    clock = clock_asked()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = []

    def compare(what: str, contenders: dict, bars: dict, *, faster: bool = False, rounds: int = 11) -> None:
        seconds = interleave(contenders, rounds, clock)
        base, *others = seconds
        for name in others:
            # The ratio of neighbours in time, then its median: a noisy spell hits both.
            pairs = zip(seconds[name], seconds[base], strict=True)
            ratio = statistics.median(b / a if faster else a / b for a, b in pairs)
            milliseconds = 1e3 * statistics.median(seconds[name])
            rows.append({"what": what, "contender": name, "against": base, "ms": round(milliseconds, 3)})
            rows[-1] |= {"times as fast" if faster else "of its time": round(ratio, 3), "bar": bars[name]}
            print(f"{what:44} {name:16} {milliseconds:8.2f} ms   {ratio:5.2f}   bar {bars[name]}", flush=True)

    tokens = torch.randn(32, 64, 256)
    paths = {f"keep {keep:g}": step(transformer(keep), tokens, lambda y: y.square().mean()) for keep in (1.0, 0.8, 0.5)}
    compare("DropPath, transformer step, batch 32", paths, {"keep 0.8": 0.85, "keep 0.5": 0.60})
    for batch in (128, 512):
        images, labels = torch.randn(batch, 784), torch.randint(10, (batch,))
        loss = lambda y, labels=labels: F.cross_entropy(y, labels)  # noqa: E731
        units = {"no dropout": mlp(), "UnitDropout .5": UnitDropout(mlp(), keep=0.5)}
        contenders = {name: step(network, images, loss) for name, network in units.items()}
        compare(f"UnitDropout, MLP step, batch {batch}", contenders, {"UnitDropout .5": 0.60})

    for rows_in, size in ((16, 0), (256, 0), (1024, 0), (256, 1024)):
        layer, x = nn.Linear(1024, size, bias=False) if size else nn.Identity(), torch.randn(rows_in, 1024)
        ours = ConcreteDropout(layer, keep=0.88, n_samples=1000) if size else ConcreteNoise()
        contenders = {name: forward_backward(m, x) for name, m in (("by hand", ConcreteByHand(layer)), ("ours", ours))}
        what = f"ConcreteDropout of {rows_in} × 1024" + (f", into {size} units" if size else ", noise alone")
        compare(what, contenders, {"ours": None if size else 2.0}, faster=True, rounds=31)
    for batch in (1, 64):
        layer = nn.Linear(1024, 1024)
        connect = {"by hand": ConnectByHand(layer), "ours": DropConnect(layer, keep=0.5)}
        contenders = {name: forward_backward(network, torch.randn(batch, 1024)) for name, network in connect.items()}
        compare(f"DropConnect of 1024 × 1024, batch {batch}", contenders, {"ours": 2.0}, faster=True, rounds=21)
    save("dropout_layers", rows, ["torch"])


if __name__ == "__main__":
    main()
