"""The rows of the linear benchmark: which problem, and how much faster than the best peer it is asked to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from benchmarks.linear import data
from benchmarks.linear.data import Problem, grid


@dataclass(frozen=True)
class Row:
    """`make(scale)` builds the problem with n and p divided by scale; `bar` is the ratio asked for over the best peer.

    yardstick : (what is timed beside the solvers, how many times its time ours may take): "X'X" alone, where this passes
        too; "L1", ours on the same data, and "lbfgs", scikit-learn without a penalty, where this is asked as well.
    """

    name: str
    make: Callable[[int], Problem]
    bar: float
    yardstick: tuple[str, float] | None = None
    target: float = 1e-6  # precision every solver is driven to (oracle)


def l1(n, p, l1_ratio=1.0):
    """Lasso or elastic net, 100 λ."""

    def make(scale):
        X, y = data.regression(n // scale, p // scale)
        problem = Problem("l1", X, y, lambdas=None, l1_ratio=l1_ratio)
        return replace(problem, lambdas=grid(problem, 100, 0.01))

    return make


def on_file(name):
    """Lasso on stored data, 100 λ."""

    def make(scale):
        problem = Problem("l1", *data.stored(name), lambdas=None)
        return replace(problem, lambdas=grid(problem, 100, 0.01))

    return make


def sparse_l1(n, p):
    """Lasso on sparse X, 100 λ."""

    def make(scale):
        problem = Problem("l1", *data.sparse_regression(n // scale, p // scale), lambdas=None)
        return replace(problem, lambdas=grid(problem, 100, 0.01))

    return make


def classes(n, p, n_classes, n_lambdas):
    """L1 logistic or multinomial."""

    def make(scale):
        X, y = data.classes(n // scale, p // scale, n_classes)
        problem = Problem("logistic" if n_classes == 2 else "multinomial", X, y, lambdas=None, n_classes=n_classes)
        return replace(problem, lambdas=grid(problem, n_lambdas, 0.01))

    return make


def groups(n, p, size, n_lambdas):
    """Logistic group lasso."""

    def make(scale):
        X, y = data.classes(n // scale, p // scale, 2)
        problem = Problem("group-logistic", X, y, lambdas=None, group_size=size)
        return replace(problem, lambdas=grid(problem, n_lambdas, 0.01))

    return make


def segment(kind, n_lambdas):
    """L1 multinomial or shared group lasso on the segment table."""

    def make(scale):
        X, y = data.segment()
        problem = Problem(kind, X[::scale], y[::scale], lambdas=None, n_classes=7, group_size=8)
        return replace(problem, lambdas=grid(problem, n_lambdas, 0.01))

    return make


def positive(kind, n, p, n_lambdas):
    """L1 with the Poisson, gamma or Cox loss."""

    def make(scale):
        problem = Problem(kind, *data.positive(kind, n // scale, p // scale), lambdas=None)
        return replace(problem, lambdas=grid(problem, n_lambdas, 0.05))

    return make


def squared(kind, n, p, n_lambdas, ratio=0.01, **settings):
    """Group lasso, MCP, ridge or cross-validated lasso."""

    def make(scale):
        X, y = data.regression(n // scale, p // scale)
        problem = Problem(kind, X, y, lambdas=None, **settings)
        return replace(problem, lambdas=grid(problem, n_lambdas, ratio))

    return make


ROWS = [
    Row("lasso 10000×1000", l1(10000, 1000), 1.3, yardstick=("X'X", 1.25)),
    Row("lasso 1000×10000", l1(1000, 10000), 2.0),
    Row("lasso 100×20000", l1(100, 20000), 3.0),
    Row("lasso sparse 20000×100000", sparse_l1(20000, 100000), 4.0),
    Row("lasso leukemia 72×3571", on_file("leukemia"), 3.0),
    Row("lasso diabetes 442×64", on_file("diabetes64"), 3.0),
    Row("elastic net 10000×1000", l1(10000, 1000, 0.5), 2.0),
    Row("elastic net 1000×10000", l1(1000, 10000, 0.5), 2.0),
    Row("elastic net 100×20000", l1(100, 20000, 0.5), 2.0),
    Row("logistic 1000×10000", classes(1000, 10000, 2, 50), 1.5),
    Row("logistic 1000000×50", classes(1000000, 50, 2, 50), 3.0),
    Row("multinomial 1000×500×4", classes(1000, 500, 4, 30), 2.0),
    Row("multinomial 20000×16×26", classes(20000, 16, 26, 10), 1.0, yardstick=("lbfgs", 5.0)),
    Row("multinomial 2000×100×100", classes(2000, 100, 100, 10), 1.0, yardstick=("lbfgs", 5.0)),
    Row("group lasso logistic 2000×2000", groups(2000, 2000, 5, 50), 3.0, yardstick=("L1", 2.5)),
    Row("group lasso multinomial segment", segment("group-multinomial", 50), 3.0, yardstick=("L1", 2.5)),
    Row("poisson 2000×2000", positive("poisson", 2000, 2000, 50), 2.0),
    Row("poisson 1000×1000", positive("poisson", 1000, 1000, 50), 2.0),
    Row("gamma 2000×2000", positive("gamma", 2000, 2000, 50), 2.0),
    Row("cox 2000×2000", positive("cox", 2000, 2000, 50), 2.0),
    Row("group lasso 2000×5000", squared("group", 2000, 5000, 50, group_size=5), 2.0),
    Row("ridge LOO 10000×1000", squared("ridge", 10000, 1000, 100), 30.0),
    Row("ridge LOO 1000×10000", squared("ridge", 1000, 10000, 100), 2.0),
    Row("ridge LOO 100×20000", squared("ridge", 100, 20000, 100), 5.0),
    Row("lasso CV 2000×1000", squared("cv", 2000, 1000, 100), 2.0),
    Row("non-negative lasso CV 500×200", squared("cv", 500, 200, 100, positive=True), 2.0),
    Row("non-negative lasso CV 240×4", squared("cv", 240, 4, 100, positive=True), 2.0),
    # MCP is certified by its stationarity over λ; further down than λ_max/20 the problem has many local minima.
    Row("MCP 1000×10000", squared("mcp", 1000, 10000, 50, 0.05), 3.0, target=1e-4),
]
