"""Separable penalties on a DTensor: each process works on its own shard, and the whole is what one process would get."""

import pytest

import shrinkwise as sw

torch = pytest.importorskip("torch")
distributed = pytest.importorskip("torch.distributed")
if not distributed.is_available():
    pytest.skip("this torch is built without distributed", allow_module_level=True)
tensor = pytest.importorskip("torch.distributed.tensor")

BUILDERS = {
    "L1": lambda c: sw.L1(0.3),
    "L1 weighted, anchored": lambda c: sw.L1(0.3, weights=c, anchor=c),
    "L2": lambda c: sw.L2(0.3, anchor=c),
    "ElasticNet": lambda c: sw.ElasticNet(0.3, 0.5, weights=c),
    "MCP": lambda c: sw.MCP(0.3),
    "SCAD": lambda c: sw.SCAD(0.2, weights=c),
    "L0": lambda c: sw.L0(0.1, weights=c),
    "L1 + L2": lambda c: sw.L1(0.2) + sw.L2(0.1),
    "2 * (MCP + L2)": lambda c: 2 * (sw.MCP(0.2) + sw.L2(0.1)),
    "L1 + NonNegative": lambda c: sw.L1(0.2) + sw.NonNegative(),
}


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    store = tmp_path_factory.mktemp("gloo") / "store"
    distributed.init_process_group("gloo", init_method=f"file://{store}", rank=0, world_size=1)
    yield torch.distributed.device_mesh.init_device_mesh("cpu", (1,))
    distributed.destroy_process_group()


@pytest.mark.parametrize("name", BUILDERS)
def test_a_sharded_tensor_gives_the_whole_tensors_answer(name, mesh):
    w = torch.randn(6, 4, generator=torch.Generator().manual_seed(1))
    c = torch.rand(6, 4, generator=torch.Generator().manual_seed(2))
    shards = [tensor.distribute_tensor(x, mesh, [tensor.Shard(0)]) for x in (w, c)]
    whole, sharded, local = BUILDERS[name](c), BUILDERS[name](shards[1]), BUILDERS[name](shards[1].to_local())
    p = sharded.prox(shards[0], 0.5)
    assert isinstance(p, tensor.DTensor)
    assert p.placements == shards[0].placements
    assert torch.equal(p.full_tensor(), whole.prox(w, 0.5))
    assert torch.equal(local.prox(shards[0].to_local(), 0.5), whole.prox(w, 0.5))
    inside = whole.prox(w, 0.5)
    torch.testing.assert_close(sharded.value(p), whole.value(inside))
    torch.testing.assert_close(sharded.violation(p, shards[0]).full_tensor(), whole.violation(inside, w))
