"""Torch-Pruning on the dense networks: filters by their magnitude, to as few multiply-adds, then half as many epochs more.

    python -m benchmarks.networks.removable.peer LeNet-5 --seeds 0 1 2

in an environment with torch-pruning. Multiply-adds are those of the runs with a penalty in results/removable.json, which
have to be there; the dense network of each seed is trained again as there.
"""

from __future__ import annotations

import argparse
import copy
import json

import torch
import torch_pruning
from benchmarks.common import RESULTS, save
from benchmarks.networks.removable.training import CASES, Images, Run, fitted, measured, mnist, train_on
from torch import nn

from shrinkwise.networks.compact.proof import macs

STEPS = 200  # in which channels are removed, the least important of all layers first


def pruned(model: nn.Module, x: torch.Tensor, most: int) -> tuple[nn.Module, int]:
    """A copy with at most so many multiply-adds for `x`, and how many it has."""
    small = copy.deepcopy(model).eval()
    last = [module for module in small.modules() if isinstance(module, nn.Linear)][-1]
    pruner = torch_pruning.pruner.BasePruner(
        small,
        x,
        importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
        global_pruning=True,
        pruning_ratio=0.95,
        iterative_steps=STEPS,
        ignored_layers=[last],
    )
    for _ in range(STEPS):
        if macs(small, (x,)) <= most:
            break
        pruner.step()
    return small, macs(small, (x,))


def main() -> None:
    """Print and keep the error of the pruned network of each seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    rows = json.loads((RESULTS / "removable.json").read_text(encoding="utf-8"))["rows"]
    train, _, test = mnist()
    found: list[dict] = []
    for seed in options.seeds:
        ours = next(r for r in rows if r["case"] == options.case and r["seed"] == seed and r["lam"])
        found.append({"case": options.case, "seed": seed, **beside(Run(options.case, 0.0, seed), ours, train, test)})
        print(found[-1], flush=True)
        save("removable_peer", found, ["torch-pruning", "torch"])


def beside(run: Run, ours: dict, train: Images, test: Images) -> dict:
    """Errors of the dense network, of it after Torch-Pruning, and of that trained on; of ours."""
    case, x = CASES[run.case], train.x[:64]
    train = train.take(slice(case.rows))
    model, _ = fitted(case, run, train)
    small, count = pruned(model, x, ours["macs"][1])
    row = {"dense": measured(model, test), "pruned": measured(small, test)}
    train_on(small, torch.optim.Adam(small.parameters(), lr=case.lr), train, case, case.epochs // 2, run.seed)
    macs_of = (macs(model, (x,)), count, ours["macs"][1])
    return {**row, "pruned and trained on": measured(small, test), "penalty": ours["compact"], "macs": macs_of}


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
