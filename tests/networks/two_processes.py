"""Runs of `test_processes.py`: the same training in one process, and in each of two that share data or weights.

Started by torchrun as a script it writes the results of all cases to the folder it is given.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import distributed, nn
from torch.distributed import checkpoint
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict

import shrinkwise as sw

COLUMNS, ROWS = sw.Groups.columns(), sw.Groups.rows()
WEIGHTS = torch.linspace(0.5, 2.0, 35, dtype=torch.float64).reshape(5, 7).numpy()
LABELS = sw.Groups(torch.arange(35).reshape(5, 7).remainder(4).sub(1).numpy())  # −1: in no group


def adam(params):
    return torch.optim.Adam(params, lr=0.02)


def adamw(params):
    return torch.optim.AdamW(params, lr=0.02, weight_decay=0.1)


def momentum(params):
    return torch.optim.SGD(params, lr=0.02, momentum=0.9)


#: name: (optimizer, penalty of the first weight, what attach is told besides)
CASES = {
    "L1": (adam, sw.L1(0.05), {}),
    "L1, decay": (adamw, sw.L1(0.05), {}),
    "L1, weighted": (momentum, sw.L1(0.05, weights=WEIGHTS), {}),
    "L1, shrunk": (adam, sw.L1(0.05), {"start": "shrink"}),
    "L1, clipped": (momentum, sw.L1(0.05), {"max_norm": 0.3}),
    "L1, in time": (adam, sw.L1(0.05), {"schedule": sw.networks.warmup(10), "threshold": 0.1}),
    "columns": (adam, sw.GroupLasso(0.05, COLUMNS), {}),
    "columns, weighted": (adamw, sw.GroupLasso(0.05, COLUMNS, weights=[1.0, 2.0, 0.0, 1.0, 1.0, 1.0, 0.5]), {}),
    "rows": (momentum, sw.GroupLasso(0.05, ROWS, weights=[1.0, 2.0, 0.0, 4.0, 9.0]), {}),
    "labels": (adam, sw.GroupLasso(0.05, LABELS), {}),
    "sparse groups": (adam, sw.SparseGroupLasso(0.05, COLUMNS, 0.3), {}),
    "group MCP": (adam, sw.GroupMCP(0.05, COLUMNS), {}),
    "MCP": (adam, 0.5 * sw.MCP(0.05), {}),
    "L1 + labels": (adam, sw.L1(0.02) + sw.GroupLasso(0.03, LABELS).fixed(), {}),
    "columns + L2": (adam, sw.GroupLasso(0.05, COLUMNS) + sw.L2(0.01, anchor="initial"), {}),
    "metric L1": (adam, sw.L1(0.05, weights=WEIGHTS), {"method": "metric"}),
    "metric columns": (momentum, sw.GroupLasso(0.05, COLUMNS), {"method": "metric"}),
    "gradient": (adam, sw.L2(0.05, anchor="initial"), {"method": "gradient"}),
}


def data():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(32, 7, generator=generator, dtype=torch.float64)
    y = x[:, :2].sum(1, keepdim=True) + 0.1 * torch.randn(32, 1, generator=generator, dtype=torch.float64)
    mine = slice(distributed.get_rank(), None, distributed.get_world_size()) if distributed.is_initialized() else slice(None)
    return x[mine], y[mine]


def network(how: str) -> nn.Module:
    """Two layers of sizes that two processes cannot share evenly; of the last each row is one process's alone."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(7, 5), nn.Tanh(), nn.Linear(5, 1)).double()
    if how == "DDP":
        return nn.parallel.DistributedDataParallel(model)
    if how == "FSDP2":
        from torch.distributed.fsdp import fully_shard

        mesh = distributed.device_mesh.init_device_mesh("cpu", (distributed.get_world_size(),))
        fully_shard(model[0], mesh=mesh)
        fully_shard(model, mesh=mesh)
    return model


def begin(how: str, name: str):
    make, penalty, options = CASES[name]
    model = network(how)
    optimizer = make(model.parameters())
    rules = [sw.rule(penalty, names="0.weight"), sw.rule(sw.L1(0.02) if "method" not in options else penalty_of(options))]
    return model, optimizer, sw.attach(optimizer, model, rules, **options)


def penalty_of(options):
    return sw.L2(0.01) if options["method"] == "gradient" else sw.L1(0.02)


def loss(model):
    x, y = data()
    return 0.5 * (model(x) - y).square().mean()


def train(model, optimizer, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        loss(model).backward()
        optimizer.step()


def weights(model) -> dict:
    def full(p):
        return (p.full_tensor() if hasattr(p, "full_tensor") else p).detach().clone()

    return {name.removeprefix("module."): full(p) for name, p in model.named_parameters()}


def numbers(reg) -> dict:
    """What can be asked, as plain numbers and sentences."""
    x, y = data()
    found = reg.certificate(lambda out, target: 0.5 * (out - target).square().mean(), [(x, y)])
    report = reg.report()
    return {
        "value": reg.value(),
        "zeros": reg.zeros(),
        "summary": reg.summary(),
        "thresholds": [t.threshold for t in report.tensors],
        "groups": [(t.zero_groups, t.groups) for t in report.tensors],
        "certificate": [(t.rms, t.largest, t.loss_pull, t.penalty_pull, t.zeros) for t in found.tensors],
        "objective": found.objective,
    }


def run(how: str, name: str) -> dict:
    model, optimizer, reg = begin(how, name)
    train(model, optimizer, 40)
    after = weights(model)
    asked = numbers(reg)
    train(model, optimizer, 1)  # asking has left no trace
    reg.refit()
    train(model, optimizer, 3)
    return {"weights": after, "numbers": asked, "refitted": weights(model)}


def main(folder: Path) -> None:
    distributed.init_process_group("gloo")
    found = {(how, name): run(how, name) for how in ("DDP", "FSDP2") for name in CASES}
    if distributed.get_rank() == 0:
        torch.save(found, folder / "found.pt")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
