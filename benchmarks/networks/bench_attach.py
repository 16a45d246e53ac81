"""What a penalty adds to torch's fused AdamW step: 25M float32 parameters, one thread, medians of interleaved rounds of
processor time.

Bars, in steps of the fused AdamW alone: the normal map adds ≤ 1.2, the prox in the metric ≤ 0.35, `optim.AdamW` with either
is ≤ 1.05 in all; the loss term λΣ|w| and its gradient stand beside (forward and backward of the term alone). Memory: the
tensors of the optimizer's state.
"""

from __future__ import annotations

import statistics
import time

import torch
from benchmarks.common import interleave, medians, save
from torch import nn

import shrinkwise as sw

SHAPE = (5000, 5000)


class Trained:
    """One weight with a constant gradient, an optimizer, and a penalty where a method is given."""

    def __init__(self, make, method=None, penalty=None):
        self.model = nn.ParameterDict({"weight": nn.Parameter(torch.randn(SHAPE) * 0.02)})
        self.weight = self.model["weight"]
        self.weight.grad = torch.randn(SHAPE) * 1e-3
        self.optimizer = make([self.weight])
        if method:
            sw.attach(self.optimizer, self.model, penalty or sw.L1(1e-6), method=method)

    def step(self):
        """One step; the gradient is there already."""
        self.optimizer.step()

    def extra_copies(self) -> float:
        """Bytes of the penalty's own in the optimizer's state, in copies of the weight."""
        state = self.optimizer.state[self.weight]
        own = [v for k, v in state.items() if k.startswith("shrinkwise") and isinstance(v, torch.Tensor)]
        return sum(v.numel() * v.element_size() for v in own) / (4 * self.weight.numel())


def adamw(params):
    """The step that everything is measured in."""
    return torch.optim.AdamW(params, lr=1e-5, weight_decay=0.0, fused=True)


def ours(params):
    """The same step in one pass with its penalty."""
    return sw.optim.AdamW(params, lr=1e-5, weight_decay=0.0)


def our_sgd(params):
    """Momentum .9, likewise."""
    return sw.optim.SGD(params, lr=1e-5, momentum=0.9)


def decayed(params):
    """AdamW with torch's default decay."""
    return torch.optim.AdamW(params, lr=1e-5, fused=True)


def sgd(params):
    """Momentum .9."""
    return torch.optim.SGD(params, lr=1e-5, momentum=0.9, fused=True)


def group(name, contenders, rows, base):
    """Measure the contenders and what they add to the base."""
    measured = interleave(contenders, rounds=15, clock=time.process_time)
    for what, seconds in medians(measured).items():
        # The median of ratios within a round: a noisy spell hits both.
        ratio = statistics.median(a / b for a, b in zip(measured[what], measured[base], strict=True))
        whole = what == base or what.startswith(("λΣ|w|", "optim."))
        steps = ratio if whole else ratio - 1.0
        rows.append({"base": name, "what": what, "seconds": round(seconds, 5), "steps": round(steps, 3)})
        print(f"{name:16} {what:34} {1e3 * seconds:8.1f} ms  {'is' if whole else 'adds'} {steps:6.2f}", flush=True)


def naive(trained):
    """Forward and backward of λΣ|w|."""

    def run():
        kept, trained.weight.grad = trained.weight.grad, None
        (1e-6 * trained.weight.abs().sum()).backward()
        trained.weight.grad = kept

    return run


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    rows: list[dict] = []
    plain, mapped, metric = Trained(adamw), Trained(adamw, "normal_map"), Trained(adamw, "metric")
    group(
        "AdamW",
        {
            "AdamW, fused": plain.step,
            "normal map, L1": mapped.step,
            "metric, L1": metric.step,
            "λΣ|w| in the loss": naive(plain),
        },
        rows,
        "AdamW, fused",
    )
    for what, trained in {"normal_map": mapped, "metric": metric}.items():
        rows.append({"what": f"copies of the weights kept by {what}", "copies": trained.extra_copies()})
        print(f"{what}: {trained.extra_copies():.2f} copies of the weights")
    del mapped, metric
    columns = sw.GroupLasso(1e-6, groups=sw.Groups.columns())
    group(
        "AdamW, one pass",
        {
            "AdamW, fused": plain.step,
            "optim.AdamW": Trained(ours).step,
            "optim.AdamW, normal map, L1": Trained(ours, "normal_map").step,
            "optim.AdamW, metric, L1": Trained(ours, "metric").step,
            "optim.AdamW, normal map, columns": Trained(ours, "normal_map", columns).step,
            "λΣ|w| in the loss": naive(plain),
        },
        rows,
        "AdamW, fused",
    )
    del plain
    group(
        "AdamW, decay",
        {
            "AdamW, fused": Trained(decayed).step,
            "normal map, L1": Trained(decayed, "normal_map").step,
            "normal map, columns": Trained(decayed, "normal_map", columns).step,
        },
        rows,
        "AdamW, fused",
    )
    group(
        "SGD momentum",
        {
            "SGD, fused": Trained(sgd).step,
            "normal map, L1": Trained(sgd, "normal_map").step,
            "metric, L1": Trained(sgd, "metric").step,
            "metric, columns": Trained(sgd, "metric", columns).step,
            "optim.SGD": Trained(our_sgd).step,
            "optim.SGD, normal map, L1": Trained(our_sgd, "normal_map").step,
            "optim.SGD, metric, L1": Trained(our_sgd, "metric").step,
        },
        rows,
        "SGD, fused",
    )
    save("attach", rows, ["torch", "numpy"])


if __name__ == "__main__":
    main()
