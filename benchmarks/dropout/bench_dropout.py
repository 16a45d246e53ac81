"""Dropout beside torch's on one thread: ratios, each the median over interleaved rounds, beside the bars they have to pass.

``--clock cpu`` counts the processor's seconds; the rows on two threads are always by the clock on the wall.
"""

from __future__ import annotations

import time
from statistics import median

import torch
import torch.nn.functional as F
from benchmarks.common import clock_asked, interleave, medians, save
from torch import nn

from shrinkwise.dropout import Dropout, attention, routes
from shrinkwise.dropout.functional import bias_relu_dropout, dropout, dropout_residual

MILLION = 2**20
ROWS: list[dict] = []
CLOCK = time.perf_counter


def repeat(times: int, run):
    """`run`, so many times: a round long enough for the clock."""

    def many():
        for _ in range(times):
            run()

    return many


def compare(
    what: str, bar: str, contenders: dict, *, ratio: tuple, rounds: int = 9, times: int = 1, clock=None
) -> None:
    """Measure; print and keep the median ratio of two contenders beside its bar ("≥ 5" or "≤ 1.1"; "" for none)."""
    found = interleave({name: repeat(times, run) for name, run in contenders.items()}, rounds, clock or CLOCK)
    seconds = medians(found)
    value = median(a / b for a, b in zip(found[ratio[0]], found[ratio[1]], strict=True))
    passed = not bar or (value >= float(bar[1:]) if bar[0] == "≥" else value <= float(bar[1:]))
    microseconds = {name: round(1e6 * s / times, 2) for name, s in seconds.items()}
    ROWS.append({"what": what, "ratio": round(value, 3), "bar": bar, "passed": passed, "microseconds": microseconds})
    times_text = ", ".join(f"{name} {us:,.0f}" for name, us in microseconds.items())
    print(
        f"{what:48} {ratio[0]} / {ratio[1]} = {value:6.2f}   bar {bar or '-':7} {'' if passed else 'MISSED':7} µs: {times_text}"
    )


def forward_4m() -> None:
    """Four million numbers into memory that is there: what the bits cost beside a copy."""
    x = torch.randn(4 * MILLION)
    out = torch.empty_like(x)
    copy = {"copy_": lambda: out.copy_(x)}
    ours = {"ours": lambda: routes.scaled(x, 0.9, routes.draw_seed(), 0, out)}
    theirs = {"F.dropout": lambda: F.dropout(x, 0.1)}
    compare("4M float32 forward, beside copy_", "≤ 1.1", copy | ours, ratio=("ours", "copy_"), rounds=41)
    compare("4M float32 forward, beside F.dropout", "≥ 18", theirs | ours, ratio=("F.dropout", "ours"))
    for name, bar, run in (("copy_", "", copy["copy_"]), ("forward", "≥ 1.6", ours["ours"])):
        both = {"one thread": on_threads(1, run), "two": on_threads(2, run)}
        what = f"4M float32 {name} on two threads"
        compare(what, bar, both, ratio=("one thread", "two"), rounds=31, clock=time.perf_counter)
    torch.set_num_threads(1)


def on_threads(threads: int, run):
    """`run` on so many threads."""

    def timed():
        torch.set_num_threads(threads)
        run()

    return timed


def forward_and_backward() -> None:
    """The layer as a user calls it."""
    ours, theirs = Dropout(keep=0.5), nn.Dropout(0.5)
    for name, shape, bar, times in (
        ("1k", (1000,), "≥ 1.0", 300),
        ("64×512", (64, 512), "≥ 3.5", 30),
        ("64k", (65536,), "≥ 5", 20),
        ("1M", (MILLION,), "≥ 18", 1),
    ):
        x, upstream = torch.randn(shape, requires_grad=True), torch.ones(shape)

        def both_ways(layer, x=x, upstream=upstream):
            layer(x).backward(upstream)
            x.grad = None

        contenders = {"torch": lambda f=both_ways: f(theirs), "ours": lambda f=both_ways: f(ours)}
        compare(f"forward + backward, {name}", bar, contenders, ratio=("torch", "ours"), times=times, rounds=11)


def types_and_layouts() -> None:
    """Forward of a million numbers."""
    for name, x in {
        "bfloat16": torch.randn(MILLION).bfloat16(),
        "float16": torch.randn(MILLION).half(),
        "float64": torch.randn(MILLION, dtype=torch.float64),
        "transposed": torch.randn(1024, 1024).T,
    }.items():
        contenders = {"torch": lambda x=x: F.dropout(x, 0.1), "ours": lambda x=x: dropout(x, keep=0.9)}
        compare(f"1M forward, {name}", "≥ 14", contenders, ratio=("torch", "ours"))


def fused() -> None:
    """Fused forms beside a copy into new memory; no bar was set."""
    x, residual, bias = torch.randn(1024, 1024), torch.randn(1024, 1024), torch.randn(1024)
    contenders = {
        "clone": x.clone,
        "torch": lambda: F.dropout(torch.relu(x + bias), 0.1),
        "ours": lambda: bias_relu_dropout(x, bias, keep=0.9),
    }
    compare("1M bias + relu + dropout", "", contenders, ratio=("ours", "clone"))
    contenders = {
        "add": lambda: residual + x,
        "torch": lambda: residual + F.dropout(x, 0.1),
        "ours": lambda: dropout_residual(x, residual, keep=0.9),
    }
    compare("1M dropout + residual", "", contenders, ratio=("ours", "add"))


def mlp(noise) -> nn.Sequential:
    """784-1024-1024-10 with noise behind each hidden layer."""
    return nn.Sequential(
        *(nn.Linear(784, 1024), nn.ReLU(), *noise()),
        *(nn.Linear(1024, 1024), nn.ReLU(), *noise()),
        nn.Linear(1024, 10),
    )


def training_step() -> None:
    """A step of SGD on 128 images."""
    x, y = torch.randn(128, 784), torch.randint(0, 10, (128,))

    def step(noise):
        model = mlp(noise)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

        def run():
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()

        return run

    contenders = {
        "none": step(list),
        "torch": step(lambda: [nn.Dropout(0.5)]),
        "ours": step(lambda: [Dropout(keep=0.5)]),
    }
    compare("MLP 784-1024-1024-10 step, keep .5", "≤ 1.05", contenders, ratio=("ours", "none"), times=5, rounds=15)
    compare("the same with torch's dropout", "", contenders, ratio=("torch", "none"), times=5)


def attention_rows() -> None:
    """(2, 4, 1024, 64), keep .9."""
    q, k, v = (torch.randn(2, 4, 1024, 64) for _ in range(3))
    without = {"SDPA": lambda: F.scaled_dot_product_attention(q, k, v)}
    ours = {"ours": lambda: attention(q, k, v, keep=0.9)}
    theirs = {"SDPA dropout_p": lambda: F.scaled_dot_product_attention(q, k, v, dropout_p=0.1)}
    compare("attention, beside SDPA without dropout", "≤ 1.3", without | ours, ratio=("ours", "SDPA"), rounds=15)
    causal = {
        "SDPA": lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        "full": ours["ours"],
        "ours": lambda: attention(q, k, v, keep=0.9, causal=True),
    }
    compare("causal attention, beside all keys", "", causal, ratio=("ours", "full"), rounds=15)
    compare("SDPA with its dropout, beside without", "", without | theirs, ratio=("SDPA dropout_p", "SDPA"), rounds=5)


def memory() -> None:
    """Bytes kept for backward per element, beyond what the seed takes."""
    for name, layer in {"torch": nn.Dropout(0.5), "ours": Dropout(keep=0.5)}.items():
        saved: list[torch.Tensor] = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, saved=saved: saved.append(t) or t, lambda t: t):
            layer(torch.randn(MILLION, requires_grad=True))
        kept = sum(t.numel() * t.element_size() for t in saved) / MILLION
        ROWS.append(
            {"what": f"bytes of mask kept per element, {name}", "value": kept, "bar": "= 0" if name == "ours" else ""}
        )
        print(f"bytes of mask kept per element, {name}: {kept:.2f}")


def main() -> None:
    """Measure and print."""
    global CLOCK
    CLOCK = clock_asked()
    torch.set_num_threads(1)
    for part in (forward_4m, forward_and_backward, types_and_layouts, fused, training_step, attention_rows, memory):
        part()
    save("dropout", ROWS, ["torch", "numpy"])


if __name__ == "__main__":
    main()
