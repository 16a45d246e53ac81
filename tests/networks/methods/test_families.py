"""Every family of penalties trains to its own stationary point: the residual is that of the penalty as the user wrote it."""

import numpy as np
import pytest
import torch

import shrinkwise as sw

ROWS = np.random.default_rng(0)
X = torch.from_numpy(ROWS.normal(size=(200, 12)))
Y = X[:, :4] @ torch.tensor([[2.0, 0.0], [-1.5, 1.0], [0.5, -0.5], [0.1, 0.05]], dtype=torch.float64)
Y = Y + 0.3 * torch.from_numpy(ROWS.normal(size=(200, 2)))

STEPS = 900
FAMILIES = {
    "MCP": sw.MCP(0.15),
    "SCAD": sw.SCAD(0.15),
    "GroupMCP": sw.GroupMCP(0.1, sw.Groups.columns()),
    "SparseGroupLasso": sw.SparseGroupLasso(0.1, sw.Groups.columns()),
    "SLOPE": sw.SLOPE(0.1),
    "NuclearNorm": sw.NuclearNorm(0.2),
    "FusedLasso": sw.FusedLasso(0.1),
    "L1 to a point": sw.L1(0.1, anchor=torch.ones(2, 12, dtype=torch.float64)),
    "L1 + NonNegative": sw.L1(0.1) + sw.NonNegative(),
    "NonNegative": sw.NonNegative(),
    "Box": sw.Box(-0.5, 0.5),
    "L1Ball": sw.L1Ball(2.0),
    "L2Ball": sw.L2Ball(1.0),
    "MaxNorm": sw.MaxNorm(1.0),
    "TopK": sw.TopK(5),
}


@pytest.mark.one_in(2)
@pytest.mark.parametrize("name", FAMILIES)
def test_training_ends_at_a_stationary_point(name):
    torch.manual_seed(0)
    penalty = FAMILIES[name]
    model = torch.nn.Linear(12, 2, bias=False).double()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.04)
    sw.attach(optimizer, model, penalty)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        optimizer.zero_grad()
        (0.5 * ((model(X) - Y) ** 2).sum(1).mean()).backward()
        optimizer.step()
        schedule.step()
    w = model.weight.detach()
    gradient = X.T @ (X @ w.T - Y) / len(X)
    assert float(penalty.violation(w, gradient.T).max()) <= 1e-6
    assert np.isfinite(float(penalty.value(w)))


def test_the_anchor_initial_is_the_weights_at_the_time_of_attaching():
    model = torch.nn.Linear(12, 2, bias=False).double()
    start = model.weight.detach().clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    sw.attach(optimizer, model, sw.L2(1.0, anchor="initial"))
    for _ in range(2000):
        optimizer.zero_grad()
        (0.5 * ((model(X) - Y) ** 2).sum(1).mean()).backward()
        optimizer.step()
    w = model.weight.detach()
    gradient = (X.T @ (X @ w.T - Y) / len(X)).T
    torch.testing.assert_close(w - start, -gradient / 2.0, atol=1e-8, rtol=0)  # 0 = ∇L + 2λ(w − w₀)
