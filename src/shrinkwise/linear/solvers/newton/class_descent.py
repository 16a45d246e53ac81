"""Steps far from the solution of an L1 problem with many classes: each costs one gradient, and no model of the loss is solved.

There a step of Newton's method is mostly thrown away, since the signs and the curvature change; here the curvature is learnt
from the gradients that are seen anyway (limited-memory BFGS, started from a `ClassMetric`). A weight keeps to the side of zero
on which it is, or to which the gradient pulls it, and stops at zero where it would cross it.

Reference: Andrew, Gao, Scalable training of L1-regularized log-linear models, ICML 2007, doi:10.1145/1273496.1273501. Nocedal,
Updating quasi-Newton matrices with limited storage, Math. Comp. 1980, doi:10.1090/S0025-5718-1980-0572855-7.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shrinkwise import kernels

_MEMORY = 10  # pairs of steps and changes of the gradient
_HALVINGS = 12
_DECREASE = 0.1  # share of the decrease that the slope promises
_STALLED = 25  # gradients without half of the violation after which the descent ends


@dataclass
class _Iterate:
    u: np.ndarray  # (K, m + 1), intercepts last
    value: float  # loss + penalty
    g: np.ndarray  # gradient of the loss and of the L2 part


class ClassDescent:
    """Loss + Σ a|w| + ½ b w² as a function of the weights in front, from a linear predictor η (n, K) on.

    Parameters
    ----------
    problem : a `Problem` with the multinomial loss.
    columns : the working columns.
    inner : `SeparableL1L2`.
    eta, w, b : the linear predictor (n, K) and the weights (K, m) and intercepts that belong to it.
    single : whether products and exponentials are in single precision.
    """

    def __init__(self, problem, columns, inner, eta, w, b, single: bool):
        self.problem, self.columns = problem, columns
        dtype = np.float32 if single else np.float64
        ids = columns.ids[: columns.front]
        self.dtype, self.slices = dtype, columns.slices(len(w), np.dtype(dtype).itemsize)
        self.eta = [np.ascontiguousarray(eta.T[:, rows], dtype=dtype) for rows in self.slices]
        self.weights = None if (problem.s == 1.0).all() else problem.s.astype(dtype)
        self.rounding = float(np.finfo(dtype).eps)
        self.start = np.concatenate([w, b[:, None]], axis=1)
        nothing = np.zeros((len(w), 1))
        self.a = np.concatenate([inner.a[:, ids], nothing], axis=1)
        self.b = np.concatenate([inner.b[:, ids], nothing], axis=1)
        self.unit = np.ones(len(ids) + 1)
        self.unit[-1] = problem.intercept_unit

    def run(self, metric, goal: float, most: int):
        """(w, b) with every violation ≤ `goal`, or as near as `most` gradients or no further progress allow.

        `worst` is then the largest violation, `gradients` how many were taken.
        """
        at = self._point(self.start)
        pairs, best, since = _StepMemory(metric, self.start.size), np.inf, 1
        self.gradients, self.worst = 1, np.inf
        while self.gradients < most:
            pull = self._pull(at)
            self.worst = float((np.abs(pull) * self.unit).max())
            if self.worst <= 0.5 * best:
                best, since = self.worst, self.gradients
            if self.worst <= goal or self.gradients - since >= _STALLED:
                break
            new = self._step(at, pull, -pairs.solve(pull), most)
            if new is None and len(pairs):
                pairs = _StepMemory(metric, self.start.size)
                new = self._step(at, pull, -pairs.solve(pull), most)
            if new is None:
                break
            pairs.add(new.u - at.u, new.g - at.g)
            at = new
        return at.u[:, :-1].copy(), at.u[:, -1].copy()

    def _pull(self, at: _Iterate):
        """The subgradient of smallest size: 0 where stationary."""
        inside = at.g - np.clip(at.g, -self.a, self.a)
        return np.where(at.u != 0, at.g + self.a * np.sign(at.u), inside)

    def _step(self, at: _Iterate, pull, direction, most: int) -> _Iterate | None:
        """The next point along `direction`, or None if the objective does not decrease."""
        side = np.where(at.u != 0, np.sign(at.u), -np.sign(pull))
        kinked = self.a > 0
        # A weight at zero leaves it only to the side to which it is pulled, and only if it is.
        direction = np.where(kinked & (at.u == 0) & (direction * side <= 0), 0.0, direction)
        t = 1.0
        for _ in range(_HALVINGS):
            u = at.u + t * direction
            u = np.where(kinked & (u * side < 0), 0.0, u)
            slope = float((pull * (u - at.u)).sum())
            if self.gradients >= most:
                return None
            new = self._point(u)
            self.gradients += 1
            if slope < 0 and self._is_lower(at, new, side, slope):
                return new
            t *= 0.5
        return None

    def _is_lower(self, at: _Iterate, new: _Iterate, side, slope: float) -> bool:
        """Whether the objective decreases by a share of what `slope` promises; where rounding hides that, as the slope at the
        new point tells (Hager and Zhang, SIAM J. Optim. 2005, doi:10.1137/030601880).
        """
        if new.value <= at.value + _DECREASE * slope:
            return True
        beyond = float(((new.g + self.a * side) * (new.u - at.u)).sum())
        return new.value <= at.value + self.rounding * abs(at.value) and beyond <= (2.0 * _DECREASE - 1.0) * slope

    def _point(self, u) -> _Iterate:
        problem, m = self.problem, self.columns.front
        moved, g, loss = (u - self.start).astype(self.dtype), np.zeros(u.shape), 0.0
        for rows, before in zip(self.slices, self.eta, strict=True):
            eta = self.columns.times_slice(moved[:, :-1], rows)
            eta += before
            if problem.fit_intercept:
                eta += moved[:, -1:]
            values, v = kernels.softmax(eta, problem.y[rows])
            loss += float(problem.s[rows] @ values)
            if self.weights is not None:
                v *= self.weights[rows]
            g[:, :-1] += self.columns.transposed_slice(v, rows, m)
            if problem.fit_intercept:
                g[:, -1] += v.sum(1)
        g /= problem.n
        g += self.b * u
        penalty = float((self.a * np.abs(u) + 0.5 * self.b * u * u).sum())
        return _Iterate(u, loss / problem.n + penalty, g)


class _StepMemory:
    """The inverse of the matrix that maps the last steps s to the changes y of the gradient, near M elsewhere.

    The two recursions of the method are done on the products of these vectors with each other, so that they themselves are
    read by a few products of matrices with a vector. A new pair takes the place of the oldest.
    """

    def __init__(self, metric, size: int):
        self.metric = metric
        self.order: list[int] = []  # places of the pairs, the oldest first
        self.steps, self.changes, self.solved = np.zeros((3, _MEMORY, size))  # s, y, M⁻¹y
        self.products, self.squares = np.zeros((2, _MEMORY, _MEMORY))  # s_i'y_j, y_i'M⁻¹y_j

    def __len__(self) -> int:
        return len(self.order)

    def add(self, step, change):
        """Learn one pair; not one along which the curvature is lost in rounding."""
        s, y = step.ravel(), change.ravel()
        if not s @ y > 1e-8 * np.linalg.norm(s) * np.linalg.norm(y):
            return
        k = self.order.pop(0) if len(self.order) == _MEMORY else len(self.order)
        self.order.append(k)
        self.steps[k], self.changes[k], self.solved[k] = s, y, self.metric.solve(change).ravel()
        self.products[:, k], self.products[k] = self.steps @ y, self.changes @ s
        self.squares[:, k] = self.squares[k] = self.solved @ y

    def solve(self, pull):
        """The inverse times `pull`."""
        flat, ahead = pull.ravel(), self.metric.solve(pull)
        if not self.order:
            return ahead
        newest = self.order[-1]
        products, squares = self.products, self.squares
        along, down, back = self.steps @ flat, np.zeros(_MEMORY), np.zeros(_MEMORY)
        for i in reversed(self.order):  # out = pull − Σ down_j y_j
            down[i] = (along[i] - products[i] @ down) / products[i, i]
        scale = products[newest, newest] / squares[newest, newest]
        seen = scale * (self.solved @ flat - squares @ down)  # y_i'out after M⁻¹
        for i in self.order:  # out + Σ back_j s_j
            back[i] = down[i] - (seen[i] + products[:, i] @ back) / products[i, i]
        out = scale * (ahead.ravel() - down @ self.solved) + back @ self.steps
        return out.reshape(pull.shape)
