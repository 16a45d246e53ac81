"""The square root of the mean squared error with a penalty, by paths of least squares.

    min_w  σ(w) + λ f(w),   σ² = (1/n) Σ s_i r_i²

Where σ > 0 its minimiser is that of ½σ² + μ f(w) with μ = λσ. Along a path of least squares with L1 σ² is affine in μ² between
two changes of the support, so a few samples (μ, σ) give the μ of every λ. A λ whose solution has σ = 0 is reached from the
limit μ → 0. The gap at the least squares solution for μ is at most |σ − μ/λ|, which is what the samples have to bring down.

Reference: Sun and Zhang, Scaled sparse linear regression, Biometrika 2012, arXiv 1104.4595.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from shrinkwise.linear.certificates import Solutions, certify
from shrinkwise.linear.problem.gram_storage import LARGEST_WHOLE
from shrinkwise.linear.problem.problem import Problem
from shrinkwise.penalties import has_fixed

_ROUNDS = 12  # paths of least squares at most
_LEAST = 1e-9  # of the null residual: below it the least squares solution is rounding


class RootSolver:
    """Fits penalties on a `Problem` with the loss `SquareRoot`.

    `of_squares(problem, start, gram)` is a solver of least squares.
    """

    def __init__(self, problem, of_squares):
        self.problem, self.of_squares = problem, of_squares
        self.squared = Problem(
            problem.X, problem.y, "squared", problem.s, problem.fit_intercept, problem.offset, keep_zeros=True
        )
        small = not problem.design.sparse and problem.p <= min(problem.n, LARGEST_WHOLE)
        self.gram = self.squared.design.gram() if small else None

    def solve(self, penalty, tol: float, max_iter: int) -> Solutions:
        """The solution for `penalty`, k = 1, at its own λ."""
        return next(self.solve_all(penalty, [penalty.lam], tol, max_iter))

    def solve_all(self, penalty, lambdas, tol: float, max_iter: int) -> Iterator[Solutions]:
        """The Solutions over a decreasing grid: relative duality gap ≤ tol where solved."""
        if has_fixed(penalty):
            raise ValueError(
                "The square_root loss scales every term of a penalty by the residual, so a fixed term is not supported; "
                "use penalties without .fixed()"
            )
        if not (penalty.convex or penalty.constraint):
            raise ValueError(
                "The square_root loss multiplies a penalty by the residual, so it takes convex penalties and constraints, got "
                f"{penalty!r}"
            )
        lambdas = np.asarray(lambdas, dtype=float)
        null = self.problem.null_loss
        samples = np.zeros((0, 2))  # (μ, σ)
        sigma, left = np.full(len(lambdas), null), np.arange(len(lambdas))
        found: dict[int, Solutions] = {}
        steps = np.zeros(len(lambdas), dtype=int)
        for turn in range(_ROUNDS):
            mu = lambdas[left] * sigma[left]
            order = np.argsort(-mu, kind="stable")
            # The bound of the gap loses what −r has to shrink to be feasible, the violation divided by μ.
            finest = float(mu.min() / mu.max() * sigma[left].min() / null) if mu.min() > 0 and null > 0 else 1.0
            precision = 0.3 * tol * max(min(finest, 1.0), 0.03**turn, 1e-14)
            new, still = [], []
            for j, one in zip(left[order], self._least_squares(penalty, mu[order], precision, max_iter), strict=True):
                steps[j] += int(one.n_iter[0])
                reached, root = self._certified(penalty.with_lam(lambdas[j]), one, sigma[j], tol, int(steps[j]))
                new.append((lambdas[j] * sigma[j], root))
                before = found.get(j)
                if before is None or reached.gap[0] < before.gap[0] or not penalty.has_conjugate:
                    found[j] = reached
                if not found[j].solved[0]:
                    still.append(j)
            samples = np.concatenate([samples, new])
            left = np.sort(np.array(still, dtype=int))
            if not len(left) or steps[left].min() >= max_iter:
                break
            sigma[left] = _crossings(samples, lambdas[left], max(tol, _LEAST) * null)
        yield from (found[j] for j in range(len(lambdas)))

    def _least_squares(self, penalty, mu, tol, max_iter) -> Iterator[Solutions]:
        solver = self.of_squares(self.squared, None, self.gram)
        for stack in solver.solve_all(penalty, mu, tol, max_iter):
            yield from stack.each()

    def _certified(self, penalty, one: Solutions, sigma: float, tol: float, steps: int):
        """(Solutions of k = 1, σ at it), from the least squares solution for μ = λ·sigma."""
        problem, w, b = self.problem, one.w[0], one.b[0]
        eta = problem.eta(w, b)
        r = problem.y - eta
        root = float(np.sqrt(np.average(r * r, weights=problem.s)))
        # X'sr/n is in μ ∂f, so r/sigma is feasible; where y is reproduced r/σ is far from it.
        v = -r / max(root, sigma, 1e-300)
        certificate = certify(problem, penalty, w, eta, None, (v, problem.correlate(problem.s * v)))
        if penalty.has_conjugate:
            solved = certificate.gap <= tol
        else:
            solved = abs(root - sigma) <= tol * problem.null_loss and bool(one.solved[0])
        return Solutions.one(w, b, certificate, bool(solved), max(steps, 1)), root


def _crossings(samples, lambdas, least: float):
    """The σ at which μ = λσ on the curve through samples (μ, σ), σ² affine in μ² between them, not below `least`."""
    order = np.argsort(samples[:, 0], kind="stable")
    mu, sigma = samples[order].T
    found = np.empty(len(lambdas))
    for i, lam in enumerate(lambdas):
        above = int(np.searchsorted(mu >= lam * sigma, True))  # μ/σ grows with μ
        if above == len(mu):  # all samples lie below: σ grows with μ, and not faster than μ
            found[i] = sigma[-1]
            continue
        low = max(above - 1, 0)
        high = above if above > 0 else min(1, len(mu) - 1)
        run = mu[high] ** 2 - mu[low] ** 2
        slope = (sigma[high] ** 2 - sigma[low] ** 2) / run if run > 0 else 0.0
        start = sigma[above] ** 2 - slope * mu[above] ** 2
        square = start / (1.0 - slope * lam * lam) if slope * lam * lam < 1.0 else 0.0
        inside = above == 0 or sigma[low] ** 2 * 0.99 <= square <= sigma[high] ** 2 * 1.01
        found[i] = np.sqrt(square) if square > 0 and inside else sigma[above]
    return np.maximum(found, least)
