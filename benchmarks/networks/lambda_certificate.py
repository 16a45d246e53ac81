"""The λ you write is the λ you get: every optimizer × penalty × batch size on a problem whose exact solution is known.

400 rows, 50 inputs (correlated, 20 of them in use), squared loss, no bias, float64. For each cell: exact zeros found of the
true ones (and inputs zeroed wrongly), the KKT residual over λ, λ_effective/λ = −⟨w, ∇L⟩ / ⟨w, λ∂f(w)⟩, and the objective
above that of the exact solution by `shrinkwise.linear`, over the objective at zero; the same after `polish`. MCP is not
convex: its KKT residual counts, its zeros and gap are to the linear solver's own stationary point (λ_effective is 0/0 where
all weights that are kept lie in its flat part).

Bars: full batch, convex: all true zeros and no other, λ_effective/λ = 1.000, KKT/λ ≤ 1e-5 after polishing.
"""

from __future__ import annotations

import importlib.util
import math
import time

import numpy as np
import torch
from benchmarks.common import save
from torch import nn

import shrinkwise as sw
from shrinkwise.linear import PenalizedRegressor
from shrinkwise.networks import penalty as loss_term

N, D, USED, LAM = 400, 50, 20, 0.05
STEPS, BATCH = 1500, 32
GROUPS = np.arange(D) // 5
PENALTIES = {
    "L1": sw.L1(LAM),
    "elastic net": sw.ElasticNet(LAM, 0.7),
    "group lasso": sw.GroupLasso(LAM, GROUPS),
    "MCP": sw.MCP(LAM, gamma=4.0),
}
PAT = {
    "L1": {"group_type": "ElemGrouper", "prox_type": "ProxLasso"},
    "group lasso": {"group_type": "KElementGrouper", "k": 5, "prox_type": "ProxGroupLasso"},
}
MANDATORY = ("SGD", "SGD momentum .9", "Adam", "AdamW", "RMSprop", "NAdam")


class Lion(torch.optim.Optimizer):
    """A sign method from elsewhere (Chen et al., arXiv 2302.06675)."""

    def __init__(self, params, lr=1e-3):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        """Sign of a mixture of gradient and average."""
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                average = state.setdefault("average", torch.zeros_like(p))
                p.sub_(group["lr"] * (average * 0.9 + p.grad * 0.1).sign())
                average.mul_(0.99).add_(p.grad, alpha=0.01)


OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1),
    "SGD momentum .9": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "Nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.05),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=0.0),
    "AMSGrad": lambda p: torch.optim.Adam(p, lr=0.05, amsgrad=True),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.02),
    "Adagrad": lambda p: torch.optim.Adagrad(p, lr=0.3),
    "NAdam": lambda p: torch.optim.NAdam(p, lr=0.05),
    "Lion": lambda p: Lion(p, lr=0.02),
}


class Problem:
    """The data, its loss, and what a solution is measured by."""

    def __init__(self):
        rng = np.random.default_rng(3)
        self.X = rng.standard_normal((N, D)) + 0.5 * rng.standard_normal((N, 1))
        truth = np.where(np.arange(D) < USED, rng.choice([-1.0, 1.0], D) * rng.uniform(0.3, 1.5, D), 0.0)
        self.y = self.X @ truth + 0.5 * rng.standard_normal(N)
        self.x, self.t = torch.from_numpy(self.X), torch.from_numpy(self.y)[:, None]
        self.exact = {name: self._solve(penalty) for name, penalty in PENALTIES.items()}

    def _solve(self, penalty):
        return PenalizedRegressor(penalty, fit_intercept=False, tol=1e-12).fit(self.X, self.y).coef_

    def objective(self, w, penalty) -> float:
        """1/(2n)‖y − Xw‖² + λf(w)."""
        return 0.5 * float(np.mean((self.y - self.X @ w) ** 2)) + float(penalty.value(w))

    def loss(self, output, y):
        """½ mean squared error."""
        return 0.5 * (output - y).square().mean()

    def measure(self, name, w) -> dict:
        """Zeros, KKT/λ, λ_effective/λ and the gap of w."""
        penalty, exact = PENALTIES[name], self.exact[name]
        g = -self.X.T @ (self.y - self.X @ w) / N
        free = torch.tensor(w, requires_grad=True)
        penalty.value(free).backward()
        pull = float(w @ free.grad.numpy())
        gap = self.objective(w, penalty) - self.objective(exact, penalty)
        return {
            "zeros": int(((w == 0) & (exact == 0)).sum()),
            "true_zeros": int((exact == 0).sum()),
            "wrong_zeros": int(((w == 0) & (exact != 0)).sum()),
            "kkt": float(np.max(penalty.violation(w, g))) / LAM,
            "lam_ratio": -float(w @ g) / pull if pull else math.nan,
            "gap": gap / self.objective(np.zeros(D), penalty),
        }


def train(problem, optimizer, model, loss, batch, after=None, step=None) -> None:
    """STEPS steps; the learning rate falls to zero along a cosine. `step` may stand for that of a wrapper."""
    torch.manual_seed(1)
    order = torch.arange(N)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for k in range(STEPS):
        if batch is None:
            x, t = problem.x, problem.t
        else:
            at = k % (N // batch)
            order = torch.randperm(N) if at == 0 else order
            rows = order[at * batch : (at + 1) * batch]
            x, t = problem.x[rows], problem.t[rows]
        optimizer.zero_grad()
        loss(model(x), t).backward()
        (step or optimizer.step)()
        if after:
            after()
        schedule.step()


def fresh(name, batch):
    """(model, optimizer); learning rates are a fifth with minibatches, whose gradients are noisy. Adagrad lowers its own."""
    torch.manual_seed(0)
    model = nn.Linear(D, 1, bias=False).double()
    optimizer = OPTIMIZERS[name](model.parameters())
    for group in optimizer.param_groups:
        group["lr"] *= 1.0 if batch is None or name == "Adagrad" else 0.2
    return model, optimizer


def attached(problem, name, regularizer, batch, method) -> list[dict]:
    """The cell of `attach`, and the same after polishing; or the sentence with which it was refused."""
    model, optimizer = fresh(name, batch)
    cell = {"optimizer": name, "penalty": regularizer, "batch": batch or "full", "rule": f"attach, {method}"}
    try:
        reg = sw.attach(optimizer, model, PENALTIES[regularizer], method=method)
    except ValueError as refusal:
        return [{**cell, "refused": str(refusal)}]
    train(problem, optimizer, model, problem.loss, batch)
    rows = [{**cell, **problem.measure(regularizer, model.weight.detach().numpy()[0])}]
    reg.polish(problem.loss, [(problem.x, problem.t)], steps=300)
    polished = problem.measure(regularizer, model.weight.detach().numpy()[0])
    return [*rows, {**cell, "rule": f"attach, {method}, polished", **polished}]


def usual(problem, name, regularizer, batch) -> list[dict]:
    """What is usually written: the penalty in the loss; a prox with lr·λ after the step."""
    rows = []
    for rule in ("loss term", "prox lr·λ"):
        model, optimizer = fresh(name, batch)
        term = PENALTIES[regularizer]

        def loss(output, y, model=model, term=term, rule=rule):
            plain = problem.loss(output, y)
            return plain + loss_term(model, term) if rule == "loss term" else plain

        def after(model=model, optimizer=optimizer, term=term):
            with torch.no_grad():
                model.weight.copy_(term.prox(model.weight, optimizer.param_groups[0]["lr"]))

        train(problem, optimizer, model, loss, batch, after if rule != "loss term" else None)
        cell = {"optimizer": name, "penalty": regularizer, "batch": batch or "full", "rule": rule}
        rows.append({**cell, **problem.measure(regularizer, model.weight.detach().numpy()[0])})
    return rows


def by_pat(problem, name, regularizer, batch) -> list[dict]:
    """torchao's PAT with the same λ, where it is installed and has the penalty."""
    if regularizer not in PAT or importlib.util.find_spec("torchao") is None:
        return []
    from torchao.prototype.pat.optim import PruneOptimizer

    model, optimizer = fresh(name, batch)
    optimizer.param_groups[0].update(PAT[regularizer])
    wrapped = PruneOptimizer(optimizer, reg_lambda=LAM)
    train(problem, optimizer, model, problem.loss, batch, step=wrapped.step)
    cell = {"optimizer": name, "penalty": regularizer, "batch": batch or "full", "rule": "torchao PAT"}
    return [{**cell, **problem.measure(regularizer, model.weight.detach().numpy()[0])}]


def failed(row) -> bool:
    """Whether a full-batch cell of a convex penalty misses the bars."""
    if row["batch"] != "full" or row["penalty"] == "MCP" or "refused" in row or not row["rule"].endswith("polished"):
        return False
    right = row["zeros"] == row["true_zeros"] and row["wrong_zeros"] == 0
    return not (right and abs(row["lam_ratio"] - 1) < 5e-4 and row["kkt"] <= 1e-5)


def show(row) -> None:
    """One line of the table."""
    head = f"{row['optimizer']:16} {row['penalty']:12} {row['batch']!s:5} {row['rule']:28}"
    if "refused" in row:
        print(f"{head} refused: {row['refused'][:90]}", flush=True)
        return
    zeros = f"{row['zeros']}/{row['true_zeros']}" + (f" +{row['wrong_zeros']} wrong" if row["wrong_zeros"] else "")
    flag = "  MISSED" if failed(row) else ""
    print(f"{head} {zeros:14} {row['kkt']:9.1e} {row['lam_ratio']:8.4f} {row['gap']:10.1e}{flag}", flush=True)


def main() -> None:
    """Measure, print, save."""
    torch.set_num_threads(1)
    start, problem, rows = time.perf_counter(), Problem(), []
    print(
        f"{'optimizer':16} {'penalty':12} {'batch':5} {'rule':28} {'exact zeros':14} {'KKT/λ':>9} {'λ_eff/λ':>8} {'gap':>10}"
    )
    for batch in (None, BATCH):
        for regularizer in PENALTIES:
            for name in OPTIMIZERS:
                found = attached(problem, name, regularizer, batch, "normal_map")
                found += attached(problem, name, regularizer, batch, "metric")
                if name in ("SGD momentum .9", "Adam"):
                    found += usual(problem, name, regularizer, batch)
                    found += by_pat(problem, name, regularizer, batch)
                for row in found:
                    show(row)
                rows += found
    if importlib.util.find_spec("torchao") is None:
        print("torchao PAT: not installed")
        rows.append({"rule": "torchao PAT", "note": "not installed"})
    missed = [row for row in rows if "kkt" in row and failed(row)]
    print(f"{len(missed)} full-batch cells of convex penalties miss the bars; {time.perf_counter() - start:.0f} s")
    packages = ["torch", "numpy", "scikit-learn"]
    save("lambda_certificate", rows, packages + ["torchao"] * (importlib.util.find_spec("torchao") is not None))


if __name__ == "__main__":
    main()
