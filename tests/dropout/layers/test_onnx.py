"""Exported in evaluation mode the family leaves no trace: dropout is the identity, wrappers are what they wrap."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from shrinkwise import dropout as sd

pytest.importorskip("onnx", reason="the export needs onnx")
pytest.importorskip("onnxscript", reason="the export needs onnxscript")

WRAPPED = {"Gemm", "MatMul", "Add", "Transpose", "Identity", "Relu"}  # what a linear layer and its neighbours become

NOISE = {
    "dropout": lambda: sd.Dropout(keep=0.5),
    "dropout with a seed": lambda: sd.Dropout(keep=0.5, seed=1, stream=2),
    "channel": lambda: sd.ChannelDropout(keep=0.5, channel_dim=-1),
    "locked": lambda: sd.LockedDropout(keep=0.5, time_dim=0),
    "gaussian": lambda: sd.GaussianDropout(keep=0.5),
    "alpha": lambda: sd.AlphaDropout(keep=0.5),
    "drop connect": lambda: sd.DropConnect(nn.Linear(5, 5), keep=0.5),
    "drop path": lambda: sd.DropPath(nn.Linear(5, 5), keep=0.5),
    "unit": lambda: sd.UnitDropout(nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 5)), keep=0.5),
    "concrete": lambda: sd.ConcreteDropout(nn.Linear(5, 5), keep=0.5, n_samples=10),
}


def exported(model, x):
    """The ONNX model, in memory."""
    return torch.onnx.export(model, (x,), dynamo=True, verbose=False).model_proto


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("make", NOISE.values(), ids=NOISE)
def test_an_evaluation_model_is_exported_without_noise(make):
    model, x = nn.Sequential(make(), nn.ReLU()).eval(), torch.randn(3, 5)
    proto = exported(model, x)
    operations = [node.op_type for node in proto.graph.node]
    assert set(operations) <= WRAPPED
    if not any(True for _ in model.parameters()):
        assert [name for name in operations if name != "Identity"] == ["Relu"]
    runtime = pytest.importorskip("onnxruntime", reason="running the exported model needs onnxruntime")
    session = runtime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (got,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    torch.testing.assert_close(torch.from_numpy(got), model(x).detach())
