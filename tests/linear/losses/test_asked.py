"""A loss is asked and not recognised: its name is compared nowhere outside linear/losses, and none is forgotten."""

import ast
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import PoissonRegressor

import shrinkwise as sw
from shrinkwise.linear import PenalizedRegressor, losses, path
from shrinkwise.linear.losses import LOSSES, Loss, Squared

SOURCE = Path(losses.__file__).parents[1]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4))
COUNTS = RNG.poisson(np.exp(0.5 * X[:, 0] + 0.3)).astype(float)


def compared_by_name(source: str) -> list[int]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            sides = [n for side in (node.left, *node.comparators) for n in ast.walk(side)]
            if any(isinstance(n, ast.Constant) and n.value in LOSSES for n in sides):
                found.append(node.lineno)
    return found


def test_no_loss_is_recognised_by_its_name():
    files = [file for file in SOURCE.rglob("*.py") if "losses" not in file.relative_to(SOURCE).parts]
    found = {str(file.relative_to(SOURCE)): compared_by_name(file.read_text(encoding="utf-8")) for file in files}
    assert {file: lines for file, lines in found.items() if lines} == {}


@pytest.mark.parametrize("line", ['loss.name == "squared"', 'loss in ("logistic", "multinomial")'])
def test_a_planted_comparison_is_seen(line):
    assert compared_by_name(line) == [1]


def test_every_file_of_a_loss_is_in_the_list():
    files = {file.stem for file in (SOURCE / "losses").rglob("[!_]*.py")}
    assert files - {"base", "codes", "deviations", "log_link", "records", "risk_sets"} == set(LOSSES)


class Shifted(Squared):
    """A user's loss: least squares of y + 1."""

    name = "shifted"
    is_quadratic = False

    def value(self, y, eta):
        return super().value(y + 1.0, eta)

    def gradient(self, y, eta):
        return super().gradient(y + 1.0, eta)

    def conjugate(self, y, v):
        return super().conjugate(y + 1.0, v)

    def null_intercept(self, y, s):
        return super().null_intercept(y + 1.0, s)


def test_an_object_is_taken_by_paths_and_by_estimators():
    y = X @ [1.0, 0.0, -1.0, 0.0] + RNG.normal(size=120)
    assert isinstance(Shifted(), Loss)
    expected = path(X, y + 1.0, sw.L1(1.0), lambdas=[0.1], tol=1e-12)
    found = path(X, y, sw.L1(1.0), loss=Shifted(), lambdas=[0.1], tol=1e-12)
    np.testing.assert_allclose(found.coefs, expected.coefs, atol=1e-7)
    model = PenalizedRegressor(sw.L1(0.1), loss=Shifted(), tol=1e-12).fit(X, y)
    np.testing.assert_allclose(model.coef_, expected.coefs[0], atol=1e-7)


def test_the_deviance_explained_by_counts_is_scikit_learns():
    found = path(X, COUNTS, sw.L2(1.0), loss="poisson", lambdas=[1e3, 0.1, 1e-3], tol=1e-12)
    for lam, share in zip(found.lambdas, found.deviance_explained, strict=True):
        peer = PoissonRegressor(alpha=2 * lam, tol=1e-10, max_iter=10_000).fit(X, COUNTS)
        assert share == pytest.approx(peer.score(X, COUNTS), abs=1e-6)


def test_the_deviance_explained_starts_at_zero():
    assert path(X, COUNTS, sw.L1(1.0), loss="poisson", n_lambdas=5).deviance_explained[0] == pytest.approx(0, abs=1e-12)
