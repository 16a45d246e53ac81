"""Two processes that share the data (DDP) or the weights too (FSDP2) come to what one comes to, and resume bit by bit."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch.distributed.checkpoint")

import torch
from torch import distributed

import shrinkwise as sw
from networks import two_processes
from shrinkwise.networks.distributed import processes
from shrinkwise.networks.distributed.shards import Part
from shrinkwise.networks.terms.normal_map import NormalMap
from shrinkwise.penalties import fingerprint

pytestmark = pytest.mark.skipif(not distributed.is_gloo_available(), reason="this torch is built without gloo")
BOTH = ("DDP", "FSDP2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where two processes, started by torchrun, have left what they found."""
    folder = tmp_path_factory.mktemp("two processes")
    script = [str(Path(two_processes.__file__)), str(folder)]
    source = str(Path(two_processes.sw.__file__).parents[1])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": source}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *script]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def found(folder):
    return torch.load(folder / "found.pt", weights_only=False)


@pytest.fixture(scope="module")
def alone():
    """The same runs in one process, each made once."""
    runs: dict = {}
    return lambda name: runs.setdefault(name, None) or runs.update({name: two_processes.run("one", name)}) or runs[name]


def assert_close(one: dict, several: dict):
    assert list(one) == list(several)
    for name, value in one.items():
        torch.testing.assert_close(several[name], value, rtol=0, atol=1e-9)
        assert torch.equal(several[name] == 0, value == 0)


@pytest.mark.thorough
@pytest.mark.parametrize(("how", "name"), two_processes.RUNS)
def test_weights_and_zeros_are_those_of_one_process(how, name, found, alone):
    one, several = alone(name), found[how, name]
    for stage in one.keys() - {"numbers"}:
        assert_close(one[stage], several[stage])


@pytest.mark.thorough
@pytest.mark.parametrize(("how", "name"), two_processes.RUNS)
def test_reports_and_certificates_are_of_the_whole(how, name, found, alone):
    one, several = alone(name)["numbers"], found[how, name]["numbers"]
    assert several["summary"] == one["summary"]
    assert several["zeros"] == one["zeros"]
    assert several["groups"] == one["groups"]
    for key in ("value", "objective", "polish", "certificate"):
        torch.testing.assert_close(torch.tensor(several[key]), torch.tensor(one[key]), rtol=1e-6, atol=1e-9)
    for mine, theirs in zip(several["thresholds"], one["thresholds"], strict=True):
        assert mine == (theirs if theirs is None else pytest.approx(theirs, rel=1e-9))


@pytest.mark.thorough
def test_the_cases_make_zeros_where_they_can(alone):
    for name in two_processes.CASES:
        zeros = sum(int((w == 0).sum()) for w in alone(name)["trained"].values())
        assert (zeros > 0) == (name != "gradient"), name


@pytest.mark.thorough
@pytest.mark.parametrize("name", two_processes.RESUMED)
@pytest.mark.parametrize("how", BOTH)
@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
def test_a_distributed_checkpoint_resumes_bit_by_bit_and_in_one_process(how, name, found, folder):
    run = found[how, "resume", name]
    assert all(torch.equal(run["resumed"][key], run["whole"][key]) for key in run["whole"])
    assert run["steps"] == 12
    assert run["notes"] == []
    alone = two_processes.from_checkpoint("one", name, folder / f"{how} {name}")
    assert_close(alone["resumed"], run["whole"])
    assert alone["notes"] == []


@pytest.mark.thorough
def test_a_step_sends_one_message_for_all_groups(found):
    assert set(found["DDP", "messages"].values()) == {0}
    # Before a step of the normal map the processes agree that it is one; after it norms and lengths travel together.
    expected = {"L1": 2, "L1, in time": 1, "columns": 2, "sparse groups": 2, "units": 2}
    assert found["FSDP2", "messages"] == {**expected, "metric L1": 0, "metric columns": 1, "gradient": 0}


@pytest.mark.thorough
def test_a_part_that_is_not_finite_stops_all_processes_before_anything_moves(found):
    for said, unmoved, _ in found["not finite"]:
        assert said.startswith("The gradient of 0.weight has NaN or infinite entries, so the step was not made")
        assert unmoved


@pytest.mark.thorough
def test_what_cannot_be_told_from_parts_is_refused_in_a_sentence(found):
    said = found["refusals"]
    for name in ("NuclearNorm", "SLOPE", "L2Ball", "On"):
        assert (
            "needs all weights of a tensor in one process, but they are sharded over 2 processes; do not shard"
            in said[name]
        )
    assert "has no prox with a different step for every weight; use method='normal_map'" in said["metric"]
    assert "does not fit 0.weight of shape (5, 7)" in said["weights"]
    assert "Expected one weight per group (5)" in said["group weights"]
    assert "0.weight is sharded and torch.bfloat16" in said["bfloat16"]


@pytest.mark.thorough
@pytest.mark.parametrize("how", BOTH)
def test_the_differentiable_penalty_is_of_the_whole(how, found):
    one, several = two_processes.gradient_of_the_penalty("one"), dict(found[how, "penalty"])
    assert several.pop("value") == pytest.approx(one.pop("value"), rel=1e-12)
    for name, value in one.items():
        torch.testing.assert_close(several[name], value, rtol=0, atol=1e-12)


@pytest.mark.thorough
@pytest.mark.parametrize("how", BOTH)
def test_weights_changed_from_outside_are_seen_by_all(how, found):
    notes, after = found[how, "outside"]
    expected, one = two_processes.changed_from_outside("one")
    assert notes == expected
    assert len(notes) == 1
    assert_close(one, after)


def test_what_is_asked_together_travels_together(monkeypatch):
    """Two tasks as if in two processes, of which one asks twice; each runs again with its answers."""
    sent = []

    def add(asked):
        sent.append([vector.tolist() for vector, _ in asked])
        return [10.0 + vector for vector, _ in asked]

    monkeypatch.setattr(processes, "_all_reduce", add)

    def once(x):
        return processes.summed(torch.tensor([x]), ["all"]).item()

    def twice():
        return once(once(3.0))

    assert processes.in_rounds([lambda: once(1.0), twice, lambda: 5.0]) == [11.0, 23.0, 5.0]
    assert sent == [[[1.0], [3.0]], [[13.0]]]
    assert once(2.0) == 12.0  # alone, at once
    assert processes.summed(torch.tensor([2.0]), []).item() == 2.0


@pytest.mark.parametrize("shape", [(5, 7), (300, 61), (7,), (1, 9)])
@pytest.mark.parametrize("axis", [0, 1])
def test_the_parts_of_a_sample_are_the_sample(shape, axis):
    """Two halves of a tensor along an axis, without processes: what each samples is what is sampled of the whole."""
    axis = min(axis, len(shape) - 1)
    whole = torch.arange(float(torch.Size(shape).numel())).reshape(shape)
    expected = NormalMap(sw.L1(0.1), shape).sample(whole)
    found = []
    for rank, half in enumerate(whole.tensor_split([(shape[axis] + 1) // 2], axis)):
        part = Part.__new__(Part)
        part.shape, part.local_shape = tuple(shape), tuple(half.shape)
        start = rank * ((shape[axis] + 1) // 2)
        part.slices = tuple(slice(start, start + n) if k == axis else slice(0, n) for k, n in enumerate(half.shape))
        found.append(half.reshape(-1)[part.sample()])
    assert torch.equal(torch.cat(found).sort().values, expected.reshape(-1))


def test_the_fingerprint_of_spread_weights_is_that_of_the_whole():
    """In one process, which is enough for a tensor that NumPy cannot read."""
    from torch.distributed.tensor import Shard, distribute_tensor

    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        mesh = distributed.init_device_mesh("cpu", (1,))
        first, second = torch.ones(4), torch.arange(1.0, 5.0)
        marks = [fingerprint(sw.L1(0.1, weights=distribute_tensor(each, mesh, [Shard(0)]))) for each in (first, second)]
    finally:
        distributed.destroy_process_group()
    assert marks == [fingerprint(sw.L1(0.1, weights=each)) for each in (first, second)]
    assert marks[0] != marks[1]
