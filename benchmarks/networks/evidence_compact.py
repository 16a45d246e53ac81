"""Are the outputs of compacted networks equal? Random removable groups of known architectures are set to zero.

Models have random weights. The statistics of their BatchNorms are those of random images, each then moved at random, so
that activations keep their scale through all layers and the outputs depend on the images (`spread`). Half of the removable
groups, chosen at random, are set to zero, the model is compacted, and both are compared. One process a model, so that one
failure is one line.

    python benchmarks/networks/evidence_compact.py --out results.json [--family torchvision|timm|papers] [--only NAME ...]

torchvision's wheels may be built for another kind of torch than the one installed; its own operators are then missing, and
their schemas are declared here, which is all that its classification models need.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import time
import warnings

import torch
from compact_models import MODELS
from compact_models import example as papers_example
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

import shrinkwise as sw

SIZES = (32, 64, 75, 96, 128, 224, 256)


def torchvision_models():
    """torchvision.models, also where its compiled operators do not load."""
    library = torch.library.Library("torchvision", "FRAGMENT")
    try:
        import torchvision.models
    except RuntimeError:
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        import torchvision.models
    torchvision_models.library = library  # type: ignore[attr-defined]
    return torchvision.models


def names(family: str) -> list[str]:
    """The models of a family."""
    if family == "papers":
        return list(MODELS)
    if family == "torchvision":
        module = torchvision_models()
        return module.list_models(module=module)
    torchvision_models()
    import timm

    found, kinds = [], set()
    for name in timm.list_models():  # one of each module: the architectures, not their sizes
        kind = timm.models._registry._model_to_module[name]
        if kind not in kinds:
            kinds.add(kind)
            found.append(name)
    return found


def build(family: str, name: str) -> nn.Module:
    """The model with random weights and statistics."""
    torch.manual_seed(0)
    if family == "papers":
        model = MODELS[name][0]()
    elif family == "torchvision":
        options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
        model = torchvision_models().get_model(name, weights=None, **options)
    else:
        torchvision_models()
        import timm

        model = timm.create_model(name)
    for module in model.modules():
        if isinstance(module, _BatchNorm) and module.weight is not None:
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
    for key, parameter in model.named_parameters():
        if key.rpartition(".")[2] in ("layer_scale", "gamma", "gamma_1", "gamma_2", "gamma1", "gamma2"):
            nn.init.uniform_(parameter, 0.5, 1.5)  # they start near zero, where a wrong branch would not be seen
        elif parameter.dim() > 1 and not parameter.any():
            nn.init.normal_(parameter, 0, 0.05)  # heads that start at zero give zero whatever the network does
    return model.eval()


@torch.no_grad()
def calibrate(model: nn.Module, example: torch.Tensor) -> None:
    """Give the BatchNorms the statistics of random inputs, each times a random factor and plus a random shift."""
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
        norm.momentum = None  # the mean over the batches, here of one
    model(torch.randn(8, *example.shape[1:]))
    model.eval()
    for norm in norms:
        norm.momentum = 0.1
        norm.running_mean += 0.1 * norm.running_var.sqrt() * torch.randn_like(norm.running_mean)
        norm.running_var *= 0.5 + torch.rand_like(norm.running_var)


def smallest_example(model: nn.Module) -> torch.Tensor:
    """Two images of the lowest resolution that the model takes."""
    for size in SIZES:
        example = torch.randn(2, 3, size, size)
        try:
            with torch.no_grad():
                model(example)
            return example
        except Exception:
            continue
    raise ValueError(f"the model takes none of the sizes {SIZES}")


def one(family: str, name: str, share: float) -> dict:
    """Zero a share of the removable groups of one model, compact it, and say what came out."""
    start = time.process_time()
    model = build(family, name)
    example = papers_example(name) if family == "papers" else smallest_example(model)
    calibrate(model, example)
    groups = sw.networks.removable(model, example)
    chosen = torch.nonzero(torch.rand(len(groups)) < share).reshape(-1).tolist()
    groups.zero_(model, chosen)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    small, proof = sw.compact(model, example)
    untouched = all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    other = torch.randn(3, *example.shape[1:])  # another batch size, drawn here
    with torch.no_grad():
        y, z = model(other), small(other)
    again = float((y - z).abs().max() / y.abs().max())
    spread = float((y - y.mean(0)).abs().max() / y.abs().max())  # how much of the output depends on the input at all
    return {
        "name": name,
        "resolution": example.shape[-1],
        "groups": len(groups),
        "zeroed": len(chosen),
        "relative_diff": proof.relative_diff,
        "relative_diff_again": again,
        "spread": spread,
        "parameters": proof.parameters,
        "macs": proof.macs,
        "seconds": proof.seconds,
        "untouched": untouched,
        "pinned": proof.pinned,
        "processor_seconds": time.process_time() - start,
    }


def _sent(pipe, family: str, name: str, share: float, limit: int) -> None:
    """Send the row of one model; the process ends when it has used `limit` seconds of processor time."""
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    try:
        pipe.send(one(family, name, share))
    except Exception as error:
        pipe.send({"name": name, "refused": f"{type(error).__name__}: {error}"[-300:]})


def in_a_process(family: str, name: str, share: float, limit: int) -> dict:
    """The row of one model, found in a fork of this process, which has imported everything."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_sent, args=(theirs, family, name, share, limit))
    process.start()
    theirs.close()
    try:
        row = ours.recv()
    except EOFError:
        row = None
    process.join()
    return row or {"name": name, "refused": f"ended by signal {-process.exitcode}, limit {limit} s of processor time"}


def main() -> None:
    """All models of a family, each in its own process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--family", default="torchvision", choices=["torchvision", "timm", "papers"])
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--share", type=float, default=0.5)
    parser.add_argument("--limit", type=int, default=600, help="seconds of processor time for one model")
    parser.add_argument("--out")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for name in options.only or names(options.family):
        row = in_a_process(options.family, name, options.share, options.limit)
        rows.append(row)
        if "refused" in row:
            print(f"{name:24} refused: {row['refused'].splitlines()[-1] if row['refused'] else 'killed'}", flush=True)
        else:
            share = row["parameters"][1] / row["parameters"][0]
            print(
                f"{name:24} {row['resolution']:3} px, {row['zeroed']:5} of {row['groups']:5} groups, parameters × {share:.2f}, "
                f"relative difference {row['relative_diff']:.1e} and {row['relative_diff_again']:.1e} (spread "
                f"{row['spread']:.1e}), multiply-adds × {row['macs'][1] / row['macs'][0]:.2f}, time × "
                f"{row['seconds'][1] / row['seconds'][0]:.2f}, {row['processor_seconds']:.0f} CPU s",
                flush=True,
            )
        if options.out:
            with open(options.out, "w", encoding="utf-8") as file:
                json.dump(rows, file, indent=1)
    done = [row for row in rows if "refused" not in row]
    wrong = [row["name"] for row in done if row["relative_diff_again"] > 1e-5 or not row["untouched"]]
    print(f"{len(done)} of {len(rows)} compacted, wrong: {wrong or 0}")


if __name__ == "__main__":
    main()
