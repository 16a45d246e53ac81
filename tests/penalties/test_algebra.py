"""Composed penalties mean the same to everyone who asks: linear paths, degrees of freedom, training, certificates."""

import ast
from pathlib import Path

import numpy as np
import pytest

import shrinkwise as sw
from shrinkwise import penalties
from shrinkwise.linear import path
from shrinkwise.penalties import leaves, multiplied, rebuild, released, terms

SOURCE = Path(penalties.__file__).parents[1]
RNG = np.random.default_rng(3)
X = RNG.normal(size=(80, 6))
Y = X @ [2.0, -1.0, 0.0, 0.5, 0.0, 0.3] + RNG.normal(size=80)
HEAD = slice(0, 3)
W = np.array([0.7, -0.2, 0.0, 1.5, -0.4, 0.1])

# composed -> the same written without composition: a sum of terms with factors, and which of them are fixed.
FACTORS = np.r_[np.ones(3), np.zeros(3)]
COMPOSED = {
    "On of Fixed": (sw.L1(0.3).fixed().on(HEAD), [(sw.L1(0.3, weights=FACTORS), True)]),
    "Fixed of On": (sw.L1(0.3).on(HEAD).fixed(), [(sw.L1(0.3, weights=FACTORS), True)]),
    "On of Sum": (
        (sw.L1(0.3) + sw.L2(0.2)).on(HEAD),
        [(sw.L1(0.3, weights=FACTORS), False), (sw.L2(0.2, weights=FACTORS), False)],
    ),
    "On of a Sum with a fixed term": (
        (sw.L1(0.3) + sw.L2(0.2).fixed()).on(HEAD),
        [(sw.L1(0.3, weights=FACTORS), False), (sw.L2(0.2, weights=FACTORS), True)],
    ),
    "Sum of On": (
        sw.L1(0.3) + sw.L2(0.2).on(HEAD),
        [(sw.L1(0.3), False), (sw.L2(0.2, weights=FACTORS), False)],
    ),
    "Sum of Fixed of On": (
        sw.L1(0.3) + sw.L2(0.2).on(HEAD).fixed(),
        [(sw.L1(0.3), False), (sw.L2(0.2, weights=FACTORS), True)],
    ),
}
CASES = pytest.mark.parametrize(("composed", "plain"), COMPOSED.values(), ids=COMPOSED)


def together(plain):
    total = None
    for term, fixed in plain:
        term = term.fixed() if fixed else term
        total = term if total is None else total + term
    return total


@CASES
def test_value_and_scaling_agree(composed, plain):
    assert composed.value(W) == pytest.approx(together(plain).value(W), rel=1e-14)
    assert composed.with_lam(2.0).value(W) == pytest.approx(together(plain).with_lam(2.0).value(W), rel=1e-14)
    assert sum(term.value(W) for term in terms(composed)) == pytest.approx(composed.value(W), rel=1e-14)
    assert released(composed).value(W) == pytest.approx(composed.value(W), rel=1e-14)
    assert [leaf.fixed for leaf in leaves(composed)] == [fixed for _, fixed in plain]
    assert rebuild(composed, lambda leaf: leaf.penalty).value(W) == pytest.approx(composed.value(W), rel=1e-14)
    factors = np.linspace(0.5, 2.0, 6)
    expected = sum(multiplied(term, factors).value(W) for term, _ in plain)
    assert multiplied(composed, factors).value(W) == pytest.approx(expected, rel=1e-14)


@CASES
def test_paths_and_their_degrees_of_freedom_agree(composed, plain):
    mine = path(X, Y, composed, lambdas=[0.5, 0.1], tol=1e-12)
    theirs = path(X, Y, together(plain), lambdas=[0.5, 0.1], tol=1e-12)
    np.testing.assert_allclose(mine.coefs, theirs.coefs, atol=1e-9)
    np.testing.assert_allclose(mine.df, theirs.df, rtol=1e-7)


@CASES
@pytest.mark.parametrize("method", ["normal_map", "metric", "gradient"])
def test_training_reaches_the_solution_of_what_is_written(composed, plain, method):
    torch = pytest.importorskip("torch")
    if method == "gradient":
        composed = rebuild(composed, lambda leaf: sw.L2(leaf.penalty.lam))
        plain = [(sw.L2(term.lam, weights=term.weights), fixed) for term, fixed in plain]
    layer = torch.nn.Linear(6, 1, bias=False).double()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.2)
    whole = (slice(None), HEAD)
    reg = sw.attach(optimizer, layer, _in_rows(composed, whole), method=method)
    data, target = torch.tensor(X), torch.tensor(Y)
    for _ in range(800):
        optimizer.zero_grad()
        (0.5 * (layer(data)[:, 0] - target).square().mean()).backward()
        optimizer.step()
    w = layer.weight.detach().numpy()[0]
    g = X.T @ (X @ w - Y) / len(Y)
    penalty = together(plain)
    assert penalty.violation(w, g).max() < 1e-6
    assert reg.report().value == pytest.approx(penalty.value(w), rel=1e-6)


def _in_rows(penalty, whole):
    """The penalty of a vector as that of a matrix of one row, by way of its repr, which is Python that makes it again."""
    text = repr(penalty).replace("slice(0, 3, None)", repr(whole))
    names = {name: getattr(sw, name) for name in ("L1", "L2")}
    return eval(text, names)


def test_a_fixed_part_is_refused_where_lambda_moves():
    torch = pytest.importorskip("torch")
    layer = torch.nn.Linear(6, 1)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.2)
    part = (slice(None), HEAD)
    with pytest.raises(ValueError, match="fixed"):
        sw.attach(optimizer, layer, (sw.L1(0.3) + sw.L2(0.1).fixed()).on(part), schedule=lambda step: 1.0)


def test_a_group_lasso_on_a_part_has_degrees_of_freedom():
    part = path(X, Y, sw.GroupLasso(1.0, [0, 0, 1, 1]).on(slice(0, 4)), lambdas=[0.3, 0.05], tol=1e-12)
    whole = path(X, Y, sw.GroupLasso(1.0, [0, 0, 1, 1, -1, -1]), lambdas=[0.3, 0.05], tol=1e-12)
    np.testing.assert_allclose(part.coefs, whole.coefs, atol=1e-9)
    np.testing.assert_allclose(part.df, whole.df, rtol=1e-8)


class Bridge(sw.Penalty):
    """λ Σ h(w_j) with Huber's h: convex, with a prox and no conjugate."""

    convex = True

    def __init__(self, lam):
        self.lam = lam

    def value(self, w):
        inside = w.clip(-1, 1)
        return self.lam * (inside * w - 0.5 * inside * inside).sum()

    def prox(self, w, step):
        s = step * self.lam
        return w - s * (w / (1 + s)).clip(-1, 1)


def test_a_convex_penalty_without_a_conjugate_is_certified_by_the_violation():
    found = path(X, Y, Bridge(1.0), lambdas=[0.5], tol=1e-9)
    assert np.isnan(found.gaps).all()
    assert found.solved.all()
    w = found.coefs[0]
    g = X.T @ (X @ w + found.intercepts[0] - Y) / len(Y)
    np.testing.assert_allclose(g + 0.5 * w.clip(-1, 1), 0.0, atol=1e-6)


class OwnMCP(sw.Penalty):
    """A user's MCP: it declares its family and nothing else that a kernel asks for."""

    separable, multiplicative, convex = True, False, False

    def __init__(self, lam):
        self.lam = lam

    def value(self, w):
        return sw.MCP(self.lam).value(w)

    def prox(self, w, step):
        return sw.MCP(self.lam).prox(w, step)

    def violation(self, w, g):
        return sw.MCP(self.lam).violation(w, g)

    def lambda_max(self, g0):
        return float(abs(g0).max())

    def family(self, w):
        slope = np.full(w.shape, float(self.lam))
        return penalties.Folded(slope, np.zeros(w.shape), 3.0 * slope)


def test_a_penalty_of_ones_own_that_declares_its_family_gets_the_kernel():
    from shrinkwise.linear.solvers.quadratic.inner import inner_solver

    assert type(inner_solver(OwnMCP(0.1), (6,))) is type(inner_solver(sw.MCP(0.1), (6,)))
    mine, theirs = (path(X, Y, penalty, lambdas=[0.2, 0.1]) for penalty in (OwnMCP(1.0), sw.MCP(1.0)))
    np.testing.assert_allclose(mine.coefs, theirs.coefs, atol=1e-12)


# --- asked, not recognised ---------------------------------------------------------------------------------------
CLASSES = {
    name
    for name in vars(penalties)
    if isinstance(getattr(penalties, name), type)
    and name not in ("Penalty", "Groups", "Leaf", "Pieces", "Grouped", "Folded")
}


def recognised(source: str) -> list[int]:
    """Lines that ask whether something is of a class of penalties, by isinstance, issubclass or type."""
    found = []
    for node in ast.walk(ast.parse(source)):
        asked = []
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("isinstance", "issubclass")
        ):
            asked = node.args[1:]
        elif isinstance(node, ast.Compare) and any(
            isinstance(side, ast.Call) and isinstance(side.func, ast.Name) and side.func.id == "type"
            for side in (node.left, *node.comparators)
        ):
            asked = [node.left, *node.comparators]
        names = {n.id for each in asked for n in ast.walk(each) if isinstance(n, ast.Name)}
        names |= {n.attr for each in asked for n in ast.walk(each) if isinstance(n, ast.Attribute)}
        if names & CLASSES:
            found.append(node.lineno)
    return found


def test_no_penalty_is_recognised_by_its_class_outside_penalties():
    files = [file for file in SOURCE.rglob("*.py") if "penalties" not in file.relative_to(SOURCE).parts]
    found = {str(file.relative_to(SOURCE)): recognised(file.read_text(encoding="utf-8")) for file in files}
    assert {file: lines for file, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line", ["isinstance(p, sw.L1)", "type(p) is GroupLasso", "type(p) in (MCP, SCAD)", "issubclass(c, Sum)"]
)
def test_a_planted_check_is_seen(line):
    assert recognised(line) == [1]


def test_every_file_of_a_penalty_is_behind_the_door():
    public = {
        getattr(penalties, name).__module__
        for name in penalties.__all__
        if hasattr(getattr(penalties, name), "__module__")
    }
    rooms = ("separable", "grouped", "structured", "constraints")
    files = [file for room in rooms for file in (SOURCE / "penalties" / room).glob("[!_]*.py")]
    shared = {"base", "anchor"}
    missing = [
        f.stem for f in files if f"shrinkwise.penalties.{f.parent.name}.{f.stem}" not in public and f.stem not in shared
    ]
    assert missing == []
