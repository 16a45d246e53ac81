"""The quadratic model of the softmax loss for many classes, without the Hessian between two classes.

H couples classes k and j by −X̃'diag(s p_k p_j)X̃/n: K(K−1)/2 blocks, which is most of the memory and of the work where K is
large. Here only the K blocks on the diagonal are formed; what the others add is one product with X per class, from the
change ξ of the linear predictor. The model is minimised exactly all the same, one class after the other (block coordinate
descent, as in glmnet, but on the full model).

References: Friedman, Hastie, Tibshirani, Regularization paths for generalized linear models, JSS 2010,
doi:10.18637/jss.v033.i01.
"""

from __future__ import annotations

import numpy as np

# Most passes over the classes in one step, and the share of the violation at which it ends: the next step goes on from there
# with a new gradient.
_PASSES, _ENOUGH = 30, 0.1


class ClassModel:
    """The quadratic model around probabilities p (n, K), with the members of `QuadraticModel` that a separable penalty needs.

    Parameters
    ----------
    columns : the working columns; the model is on their front.
    probabilities : (n, K).
    weights : (n,), sample weights and 1/n in it.
    fit_intercept : whether every class has an intercept, which is eliminated from its block.
    """

    exact = lasts = True

    def __init__(self, columns, probabilities, weights, fit_intercept: bool):
        self.columns, self.fit_intercept = columns, fit_intercept
        self.p = np.ascontiguousarray(probabilities.T)
        self.q = weights * self.p
        self.K = len(self.p)
        self.has = np.zeros((self.K, 0), dtype=bool)
        self.blocks: list[ClassBlock | None] = [None] * self.K
        self.fresh = True  # whether built at the present point
        self.fresh_before = False  # and so at the one before

    def grow(self, mask):
        """Let in the pairs of `mask` (K, front) that are not there yet."""
        grown = mask.copy()
        grown[:, : self.has.shape[1]] |= self.has
        before = np.zeros(mask.shape, dtype=bool)
        before[:, : self.has.shape[1]] = self.has
        for k in np.flatnonzero((grown & ~before).any(1)):
            self.blocks[k] = None
        self.has = grown

    def step(self, w, g, gb, inner, tol: float):
        """(d, db): the step that minimises the model plus the penalty `inner`, from w (K, front) with gradients g, gb."""
        d, db = np.zeros(w.shape), np.zeros(self.K)
        xi, mean = np.zeros_like(self.p), np.zeros(self.p.shape[1])  # X̃d + db, and Σ_k p_k ξ_k
        first = 0.0
        for _ in range(_PASSES):
            worst = 0.0
            for k in range(self.K):
                block = self._block(k)
                pull = self.q[k] * (xi[k] - mean)
                slope = g[k, block.pos] + self._gradient(block, pull)
                at_b = gb[k] + pull.sum() if self.fit_intercept else 0.0
                worst = max(worst, block.violation(inner, w[k] + d[k], slope), abs(at_b))
                change, shift = block.solve(inner, w[k] + d[k], slope, at_b, 0.3 * tol)
                if not (change.any() or shift):
                    continue
                d[k, block.pos] += change
                db[k] += shift
                moved = self._moved(block, change) + shift
                xi[k] += moved
                mean += self.p[k] * moved
            first = max(first, worst)
            if worst <= max(tol, _ENOUGH * first):
                break
        return d, db

    def change_of_gradient(self, along, problem):
        """What the model says that ∇f(η) changes by when η changes by `along`, (n, K): p ∘ (along − Σ_k p_k along_k)."""
        step = along.T
        return (self.p * (step - (self.p * step).sum(0))).T

    def _block(self, k: int) -> ClassBlock:
        block = self.blocks[k]
        if block is None:
            pos = np.flatnonzero(self.has[k])
            curvature = self.q[k] * (1.0 - self.p[k])
            H = self.columns.gram(pos, [pos], [curvature], np.float64)[0]
            M = self.columns.sums(pos, curvature[:, None])[:, 0]
            total = curvature.sum() if self.fit_intercept else np.inf
            block = self.blocks[k] = ClassBlock(self.columns, k, pos, H, M, max(float(total), 1e-300))
        return block

    def _gradient(self, block: ClassBlock, pull):
        return self.columns.transposed(pull[:, None], self.has.shape[1])[0, block.pos]

    def _moved(self, block: ClassBlock, change):
        d = np.zeros((1, self.has.shape[1]))
        d[0, block.pos] = change
        return self.columns.times(d)[:, 0]


class ClassBlock:
    """The block of class `k`: what `inner.solve` reads of a model (cls, pos, columns, exact, `hessian`).

    H is less MM'/total, the intercept eliminated: M = X̃'c and total = Σc, c the curvature of the rows; total = ∞ without one.
    """

    exact = True

    def __init__(self, columns, k: int, pos, H, M, total: float):
        self.columns, self.k, self.pos, self.M, self.total = columns, k, pos, M, total
        self.cls = np.full(len(pos), k)
        self.H = H - np.multiply.outer(M, M / total)
        # Rounding may leave H slightly indefinite; a little damping changes the step, not where it ends.
        self.H.flat[:: len(pos) + 1] += 1e-12 * np.diagonal(H).max(initial=0.0)

    def hessian(self):
        """H, (m, m)."""
        return self.H

    def violation(self, inner, w, slope) -> float:
        """The largest violation of stationarity, w (front,)."""
        return inner.violation_of(self.k, w[self.pos], slope, self.columns.ids[self.pos])

    def solve(self, inner, w, slope, at_b: float, tol: float):
        """(change of w at `pos`, change of the intercept) that minimise the model in this class alone."""
        r = self.M * (at_b / self.total) - slope
        here = w[self.pos]
        change = inner.solve(self, r, here, tol) - here if len(here) else here
        return change, -(at_b + self.M @ change) / self.total if np.isfinite(self.total) else 0.0
