"""Runs of `test_processes.py`: the same training in one process, and in each of two that share data or weights.

Started by torchrun as a script it writes the results of all cases to the folder it is given.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import torch
from torch import distributed, nn
from torch.distributed import checkpoint
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict

import shrinkwise as sw
from shrinkwise.networks.distributed import processes
from shrinkwise.networks.distributed.shards import reshard
from shrinkwise.penalties import SpanningGroups

COLUMNS, ROWS = sw.Groups.columns(), sw.Groups.rows()
WEIGHTS = torch.linspace(0.5, 2.0, 35, dtype=torch.float64).reshape(5, 7).numpy()
# Unit k of the first layer: its row and its bias; the last unit's column of the second layer too.
UNITS = SpanningGroups(
    {
        "0.weight": torch.arange(5)[:, None].numpy(),
        "0.bias": torch.arange(5).numpy(),
        "2.weight": [[-1, -1, -1, -1, 4]],
    },
    {"0.weight": (5, 7), "0.bias": (5,), "2.weight": (1, 5)},
    5,
)
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
    "rows": (momentum, sw.GroupLasso(0.1, ROWS, weights=[1.0, 2.0, 0.0, 4.0, 9.0]), {}),
    "labels": (adam, sw.GroupLasso(0.3, LABELS), {}),
    "sparse groups": (adam, sw.SparseGroupLasso(0.05, COLUMNS, 0.3), {}),
    "group MCP": (adam, sw.GroupMCP(0.3, COLUMNS), {}),
    "MCP": (adam, 0.5 * sw.MCP(0.05), {}),
    "L1 + labels": (adam, sw.L1(0.02) + sw.GroupLasso(0.03, LABELS).fixed(), {}),
    "columns + L2": (adam, sw.GroupLasso(0.05, COLUMNS) + sw.L2(0.01, anchor="initial"), {}),
    "units": (adamw, sw.GroupLasso(0.05, UNITS), {}),
    "units, momentum": (momentum, sw.GroupMCP(0.2, UNITS, weights=[1.0, 2.0, 0.0, 1.0, 1.5]), {}),
    "sparse units": (adam, sw.SparseGroupLasso(0.05, UNITS, 0.3) + sw.L2(0.01, anchor="initial"), {}),
    "metric units": (momentum, sw.GroupLasso(0.05, UNITS), {"method": "metric"}),
    "metric L1": (adam, sw.L1(0.05, weights=WEIGHTS), {"method": "metric"}),
    "metric columns": (momentum, sw.GroupLasso(0.05, COLUMNS), {"method": "metric"}),
    "gradient": (adam, sw.L2(0.05, anchor="initial"), {"method": "gradient"}),
}
#: With DDP every process has all weights, and a few cases will do.
RUNS = [
    *(("FSDP2", name) for name in CASES),
    *(("DDP", name) for name in ("L1", "L1, clipped", "columns", "units", "metric L1")),
]
RESUMED = ("L1", "L1, shrunk", "L1, in time", "columns", "rows", "sparse groups", "units", "metric L1", "gradient")


def data():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(32, 7, generator=generator, dtype=torch.float64)
    y = x[:, :2].sum(1, keepdim=True) + 0.1 * torch.randn(32, 1, generator=generator, dtype=torch.float64)
    mine = (
        slice(distributed.get_rank(), None, distributed.get_world_size())
        if distributed.is_initialized()
        else slice(None)
    )
    return x[mine], y[mine]


def network(how: str, dtype=torch.float64) -> nn.Module:
    """Two layers of sizes that two processes cannot share evenly; of the last each row is one process's alone."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(7, 5), nn.Tanh(), nn.Linear(5, 1)).to(dtype)
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
    rules = [
        sw.rule(penalty, names="0.weight"),
        sw.rule(sw.L1(0.02) if "method" not in options else penalty_of(options)),
    ]
    if penalty.groups is UNITS:  # which name all weights themselves
        rules = [sw.rule(penalty)]
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
    reshard(model)
    return {name.removeprefix("module."): whole(p).detach().clone() for name, p in model.named_parameters()}


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
    """Training, all that can be asked and done afterwards, and more training."""
    model, optimizer, reg = begin(how, name)
    average = reg.averaged(0.9) if reg.method == "normal_map" else None
    train(model, optimizer, 24)
    found = {"trained": weights(model), "numbers": numbers(reg)}
    if average is not None:
        with average:
            found["averaged"] = weights(model)
    train(model, optimizer, 1)  # asking has left no trace
    polished = reg.polish(lambda out, target: 0.5 * (out - target).square().mean(), [data()], steps=3)
    found["numbers"]["polish"] = [polished.before, polished.after, polished.step_size]
    train(model, optimizer, 1)
    found["polished"] = weights(model)
    reg.refit()
    train(model, optimizer, 3)
    return {**found, "refitted": weights(model)}


def resume(how: str, name: str, folder: Path) -> dict:
    """Six steps, a distributed checkpoint, six more steps; and the latter again from the checkpoint."""
    model, optimizer, _ = begin(how, name)
    train(model, optimizer, 6)
    parts = dict(zip(("model", "optimizer"), get_state_dict(model, optimizer), strict=True))
    checkpoint.save(parts, checkpoint_id=folder)
    train(model, optimizer, 6)
    return {"whole": weights(model), **from_checkpoint(how, name, folder)}


def from_checkpoint(how: str, name: str, folder: Path) -> dict:
    model, optimizer, reg = begin(how, name)
    parts = dict(zip(("model", "optimizer"), get_state_dict(model, optimizer), strict=True))
    checkpoint.load(parts, checkpoint_id=folder)
    set_state_dict(model, optimizer, model_state_dict=parts["model"], optim_state_dict=parts["optimizer"])
    train(model, optimizer, 6)
    report = reg.report()
    return {"resumed": weights(model), "steps": report.steps, "notes": report.notes}


# --- what one process alone must not decide ----------------------------------------------------------------------
def messages(how: str) -> dict:
    """How many all_reduce calls of ours a step takes."""
    sent, found = [], {}
    send = processes.distributed.all_reduce
    for name in ("L1", "L1, in time", "columns", "sparse groups", "units", "metric L1", "metric columns", "gradient"):
        model, optimizer, _ = begin(how, name)
        train(model, optimizer, 20)
        loss(model).backward()
        sent.clear()
        processes.distributed.all_reduce = lambda *args, **kwargs: (sent.append(1), send(*args, **kwargs))
        try:
            optimizer.step()
        finally:
            processes.distributed.all_reduce = send
        found[name] = len(sent)
    return found


def one_part_not_finite(how: str) -> list:
    """A gradient with one NaN, in the part of one process: what each of them says, and whether anything moved."""
    model, optimizer, _ = begin(how, "columns")
    train(model, optimizer, 2)
    before = weights(model)
    optimizer.zero_grad()
    loss(model).backward()
    if distributed.get_rank() == 1:
        next(model.parameters()).grad.to_local()[0, 0] = float("nan")
    try:
        optimizer.step()
        said = "nothing"
    except FloatingPointError as error:
        said = str(error)
    after = weights(model)
    train(model, optimizer, 1)
    return [said, all(torch.equal(before[key], after[key]) for key in before), list(weights(model))]


def refusals() -> dict:
    """What attach says to penalties that cannot be told from parts, and to low precision."""
    said = {}

    def attempt(name, penalty, model, **options):
        try:
            sw.attach(torch.optim.Adam(model.parameters()), model, sw.rule(penalty, names="0.weight"), **options)
        except (TypeError, ValueError) as error:
            said[name] = f"{type(error).__name__}: {error}"

    for penalty in (sw.NuclearNorm(0.1), sw.SLOPE(0.1), sw.L2Ball(1.0), sw.L1(0.1).on((0, slice(None)))):
        attempt(type(penalty).__name__, penalty, network("FSDP2"))
    attempt("metric", sw.GroupLasso(0.1, COLUMNS), network("FSDP2"), method="metric")
    attempt("weights", sw.L1(0.1, weights=[1.0, 2.0]), network("FSDP2"))
    attempt("group weights", sw.GroupLasso(0.1, ROWS, weights=[1.0] * 6), network("FSDP2"))
    attempt("bfloat16", sw.L1(0.1), network("FSDP2", torch.bfloat16))
    return said


def gradient_of_the_penalty(how: str) -> dict:
    """The plain differentiable penalty, added to the loss."""
    model = network(how)
    term = sw.networks.penalty(model, sw.GroupLasso(0.1, COLUMNS))
    (loss(model) + term).backward()
    found = {name.removeprefix("module."): whole(p.grad).clone() for name, p in model.named_parameters()}
    weight = next(model.parameters()).detach()
    values = [float(f.value(weight)) for f in (sw.L1(0.1), sw.GroupLasso(0.1, COLUMNS), sw.GroupLasso(0.1, ROWS))]
    return {"value": float(term.detach()), "values": torch.tensor(values), **found}


def changed_from_outside(how: str) -> tuple:
    model, optimizer, reg = begin(how, "columns")
    train(model, optimizer, 3)
    with torch.no_grad():
        next(model.parameters()).mul_(2.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        train(model, optimizer, 1)
    return reg.report().notes, weights(model)


def whole(x):
    return x.full_tensor() if hasattr(x, "full_tensor") else x


def main(folder: Path) -> None:
    distributed.init_process_group("gloo")
    found: dict = {(how, name): run(how, name) for how, name in RUNS}
    for how in ("DDP", "FSDP2"):
        found[how, "messages"] = messages(how)
        found[how, "penalty"] = gradient_of_the_penalty(how)
        found[how, "outside"] = changed_from_outside(how)
        for name in RESUMED:
            found[how, "resume", name] = resume(how, name, folder / f"{how} {name}")
    found["refusals"] = refusals()
    everyone: list = [None, None]
    distributed.all_gather_object(everyone, one_part_not_finite("FSDP2"))
    found["not finite"] = everyone
    if distributed.get_rank() == 0:
        torch.save(found, folder / "found.pt")
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
