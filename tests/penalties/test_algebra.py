"""What a composed penalty means to those who ask: refusals, parts, penalties without a conjugate, families of one's own."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

import shrinkwise as sw
from shrinkwise import penalties
from shrinkwise.linear import path
from shrinkwise.penalties import fingerprint

RNG = np.random.default_rng(3)
X = RNG.normal(size=(80, 6))
Y = X @ [2.0, -1.0, 0.0, 0.5, 0.0, 0.3] + RNG.normal(size=80)
HEAD = slice(0, 3)


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


@pytest.mark.parametrize("seed", range(20))
def test_the_dual_scale_of_pieces_is_the_edge_of_their_conjugate(seed):
    rng = np.random.default_rng(seed)
    total = rng.choice([0.0, 0.3, 1.0], 6)
    low, high = rng.choice([-np.inf, -1.0, 0.0], 6), rng.choice([0.0, 2.0, np.inf], 6)
    penalty = sw.L1(1.0, weights=total) + sw.L2(0.5, weights=rng.choice([0.0, 0.0, 1.0], 6)) + sw.Box(low, high)
    u = 3.0 * rng.normal(size=6)
    pieces = replace(penalty.pieces(u), h=rng.choice([-0.5, 0.0, 0.5], 6) * total)  # a slope within the kink
    scale = pieces.dual_scale(u)
    assert 0.0 <= scale <= 1.0
    assert np.isfinite(pieces.conjugate(scale * u))
    if scale < 1.0:
        assert np.isinf(pieces.conjugate((scale * (1.0 + 1e-12) + 1e-300) * u))


def test_a_fingerprint_knows_every_entry_and_nothing_else():
    def made(last=1.0, label=1, factor=2.0, part=slice(0, 3), lam=0.1):
        groups = sw.Groups([0, 0, label])
        return sw.L1(lam, weights=[1.0, 1.0, last]).on(part) + factor * sw.GroupLasso(0.2, groups=groups).on(part)

    changes = ({}, {"last": 2.0}, {"label": 0}, {"factor": 3.0}, {"part": slice(3, 6)}, {"lam": 0.3})
    marks = [fingerprint(made(**change)) for change in changes]
    assert len(set(marks)) == len(marks)
    assert fingerprint(made()) == fingerprint(made()) == marks[0]
    assert fingerprint(pickle.loads(pickle.dumps(made()))) == marks[0]
    assert fingerprint(sw.L1(0.1, weights=np.ones(3))) == fingerprint(sw.L1(0.1, weights=torch.ones(3)))
