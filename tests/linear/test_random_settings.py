"""What is called solved cannot be improved: proximal gradient steps in plain NumPy, from the fit, over random settings."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

import shrinkwise as sw

TOL = 1e-7
LOSSES = ("squared", "logistic", "poisson", "gamma", "huber")
KINDS = ("l1", "elastic net", "ridge", "bounds", "signs", "groups", "free column")
OFFSETS = (0.0, 1.0, 30.0, -300.0, 1e7)


def values(loss, y, eta):
    """f(y, η) by row and its derivative."""
    with np.errstate(over="ignore"):
        if loss == "squared":
            return 0.5 * (y - eta) ** 2, eta - y
        if loss == "logistic":
            return np.logaddexp(0, eta) - y * eta, expit(eta) - y
        if loss == "poisson":
            return np.exp(eta) - y * eta, np.exp(eta) - y
        if loss == "gamma":
            return eta + y * np.exp(-eta), 1 - y * np.exp(-eta)
        r = eta - y
        return np.where(np.abs(r) <= 1.35, 0.5 * r * r, 1.35 * (np.abs(r) - 0.675)), np.clip(r, -1.35, 1.35)


def penalties(kind, lam, labels):
    """(the package's penalty, its value, its proximal operator), the last two written again."""
    sizes = np.sqrt(np.bincount(labels))

    def soft(w, t):
        return np.sign(w) * np.maximum(np.abs(w) - t, 0)

    def block(w, t):
        norms = np.sqrt(np.bincount(labels, w * w))
        return w * np.maximum(1 - t * sizes / np.maximum(norms, 1e-300), 0)[labels]

    free = np.ones(len(labels))
    free[0] = 0.0
    return {
        "l1": (sw.L1(lam), lambda w: lam * np.abs(w).sum(), lambda w, t: soft(w, t * lam)),
        "elastic net": (
            sw.ElasticNet(lam, 0.5),
            lambda w: lam * (0.5 * np.abs(w).sum() + 0.25 * w @ w),
            lambda w, t: soft(w, 0.5 * t * lam) / (1 + 0.5 * t * lam),
        ),
        "ridge": (sw.L2(lam), lambda w: lam * w @ w, lambda w, t: w / (1 + 2 * t * lam)),
        "bounds": (
            sw.L1(lam) + sw.Box(-0.1, 0.2),
            lambda w: lam * np.abs(w).sum(),
            lambda w, t: np.clip(soft(w, t * lam), -0.1, 0.2),
        ),
        "signs": (
            sw.L1(lam) + sw.NonNegative(),
            lambda w: lam * np.abs(w).sum(),
            lambda w, t: np.maximum(w - t * lam, 0),
        ),
        "groups": (
            sw.GroupLasso(lam, groups=labels),
            lambda w: lam * sizes @ np.sqrt(np.bincount(labels, w * w)),
            lambda w, t: block(w, t * lam),
        ),
        "free column": (
            sw.L1(lam, weights=free),
            lambda w: lam * np.abs(w[1:]).sum(),
            lambda w, t: soft(w, t * lam * free),
        ),
    }[kind]


def drawn(seed):
    """A random problem: X, y, settings of `path` and the kind of penalty; λ is a share of the largest gradient."""
    rng = np.random.default_rng(seed)
    loss, kind = rng.choice(LOSSES), rng.choice(KINDS)
    n, p = int(rng.integers(15, 80)), int(rng.integers(2, 25))
    X = rng.normal(size=(n, p))
    if rng.random() < 0.3:
        X[:, -1] = X[:, 0]
    if rng.random() < 0.3:
        X[:, p // 2] = 7.3
    if rng.random() < 0.3:
        X = np.where(rng.random(X.shape) < 0.6, 0.0, X)
    eta = 0.4 * X @ rng.normal(size=p)
    offset = None if rng.random() < 0.5 else rng.normal(size=n) + rng.choice(OFFSETS)
    draws = {
        "logistic": lambda: (rng.random(n) < expit(eta)) * 1.0,
        "poisson": lambda: rng.poisson(np.exp(np.clip(eta, -4, 4))) * 1.0,
        "gamma": lambda: rng.gamma(2, np.exp(np.clip(eta, -4, 4))) + 1e-3,
    }
    y = draws.get(loss, lambda: eta + rng.normal(size=n) + (0.0 if offset is None else offset))()
    y[:2] = (0.0, 1.0) if loss in ("logistic", "poisson") else y[:2]
    weight = None if rng.random() < 0.5 else rng.exponential(size=n) + 1e-3
    settings = {"loss": loss, "sample_weight": weight, "offset": offset, "fit_intercept": True}
    return X, y, settings, kind, float(10.0 ** rng.uniform(-2, -0.2)), rng.integers(0, max(1, p // 3), p)


@pytest.mark.thorough
@pytest.mark.parametrize("block", range(10))
def test_what_is_solved_cannot_be_improved(block):
    solved = 0
    for seed in range(60 * block, 60 * (block + 1)):
        X, y, settings, kind, share, labels = drawn(seed)
        labels = np.unique(labels, return_inverse=True)[1]
        null = sw.path(X, y, penalty=sw.L1(1.0), n_lambdas=1, **settings)
        penalty, value, prox = penalties(kind, share * max(float(null.lambdas[0]), 1e-3), labels)
        fitted = sw.path(X, y, penalty=penalty, lambdas=[penalty.lam], tol=TOL, **settings)
        if not fitted.solved[0]:
            assert fitted.status[0].startswith(("no finite optimum", "stopped")), fitted.status
            continue
        solved += 1
        s = np.ones(len(y)) if settings["sample_weight"] is None else settings["sample_weight"]
        s, o = s / s.sum(), 0.0 if settings["offset"] is None else settings["offset"]
        middle = X.mean(0)
        centred = X - middle

        def at(w, b, loss=settings["loss"], s=s, o=o, centred=centred, y=y, value=value):
            rows, slopes = values(loss, y, centred @ w + b + o)
            return float(s @ rows) + value(w), centred.T @ (s * slopes), float(s @ slopes)

        w, b = fitted.coefs[0].copy(), float(fitted.intercepts[0] + middle @ fitted.coefs[0])
        np.testing.assert_allclose(prox(w, 0.0), w, atol=1e-12)  # within its bounds
        start, gradient, slope = at(w, b)
        best, step = start, 1.0
        for _ in range(300):
            new = prox(w - step * gradient, step), b - step * slope
            now = at(*new)
            if now[0] < best:
                (w, b), (best, gradient, slope), step = new, now, 1.5 * step
            else:
                step *= 0.5
        rounding = 1e-13 * (1.0 + float(np.abs(o).max()) if settings["offset"] is not None else 1.0)
        assert start - best <= TOL * fitted.data.null_loss + rounding, (seed, settings["loss"], kind, start - best)
    assert solved > 40
