"""Whether a loss without a penalty has a finite minimum, and if not, the rows and columns that prevent it.

The negative log-likelihood has no finite minimum if there is a direction v of the unpenalised weights along which the
loss of no row increases and that of some row decreases without end: two classes that a linear rule separates
(completely, or only some of their rows: quasi-complete separation), or counts that are all 0 in some cell. With B the
columns of X and the intercept, and a_i the row ±B_i of every row that may move to one side only,

    no finite minimum  ⇔  there is v with a_i'v ≥ 0 for all i, > 0 for some, and B_i v = 0 for rows that may not move,
    a finite minimum   ⇔  there are q_i > 0 for all i (and any r_i for rows that may not move) with Σ q_i a_i + Σ r_i B_i = 0.

A fit can prove either: its residuals are such q if it converged, its weights such v if it makes no error. Otherwise
the linear program min ‖v‖₁, a_i'v ≥ 0, mean a_i'v = 1, decides, on the few rows that bind it.

References: Albert and Anderson, On the existence of maximum likelihood estimates in logistic regression models, Biometrika
1984. Correia, Guimarães, Zylkin, Verifying the existence of maximum likelihood estimates for generalized linear models, arXiv
1903.01633. Konis, Linear programming algorithms for detecting separated data in binary logistic regression models, Oxford 2007.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.solvers.choose import solver_for
from shrinkwise.penalties import L2

_BLOCK = 2_000_000  # values of X that are written out at a time
_ROUNDING = 4e-9  # of ‖v‖₁: a margin below it is 0; the linear program is solved to 1e-9
_LARGEST_FIT = 2_000  # columns up to which a fit is tried first
_SECONDS = 30.0  # most time of one linear program


@dataclass(frozen=True)
class Separation:
    """The reason why there is no finite minimum; false if there is one.

    Attributes
    ----------
    rows : numbers of the rows whose loss decreases without end.
    columns : numbers of the columns whose weights grow without bound; empty if a rule on all columns separates all
    rows. complete : whether every row is separated from all other classes.
    n : number of rows.  classes : whether the target is a class (otherwise a count).
    """

    rows: np.ndarray
    columns: np.ndarray
    complete: bool
    n: int
    classes: bool

    def __bool__(self) -> bool:
        return len(self.rows) > 0

    def __str__(self) -> str:
        return self.sentence("unpenalized")

    def sentence(self, kind: str) -> str:
        """The reason as a sentence; `kind` is the adjective for the columns, such as "unpenalized"."""
        if not self:
            return "a finite optimum exists"
        grows = "its weight grows" if len(self.columns) == 1 else "their weights grow"
        where, end = (
            _listed(self.columns, kind),
            f"so {grows} without bound: penalize {'it' if len(self.columns) == 1 else 'them'}",
        )
        if not self.classes:
            return f"no finite optimum: y is 0 in all {len(self.rows)} of {self.n} rows that {where} from the others, {end}"
        if self.complete:
            return f"no finite optimum: {where} the classes completely, {end}"
        return (
            f"no finite optimum: {where} {len(self.rows)} of {self.n} rows from another class without error "
            f"(quasi-complete separation), {end}"
        )


def _listed(columns, kind: str) -> str:
    if not len(columns):
        return f"the {kind} columns together separate"
    if len(columns) == 1:
        return f"the {kind} column {columns[0]} separates"
    shown = ", ".join(str(j) for j in columns[:4]) + (f" and {len(columns) - 4} more" if len(columns) > 4 else "")
    return f"the {kind} columns {shown} separate"


def is_separable(X, y, *, fit_intercept: bool = True) -> bool:
    """True if a linear rule separates the classes (completely or in part), so that no finite optimum exists.

    Parameters
    ----------
    X : (n, p), dense or scipy sparse;  y : (n,) class labels.

    Raises
    ------
    RuntimeError : if the linear program for it could not be solved.

    See `find_separation` for the rows and columns, and the module for the method.

    >>> is_separable([[1.0], [2.0], [3.0]], [0, 0, 1])
    True
    """
    return bool(find_separation(X, y, fit_intercept=fit_intercept))


def find_separation(X, y, *, fit_intercept: bool = True) -> Separation:
    """The rows that a linear rule separates from the other classes, and its columns; parameters as for
    `is_separable`."""
    from shrinkwise.linear.problem.checks import checked_X

    X, (classes, codes) = checked_X(X), np.unique(y, return_inverse=True)
    if len(classes) < 2:  # the intercept alone
        return Separation(np.arange(X.shape[0]), np.zeros(0, dtype=int), True, X.shape[0], True)
    loss, codes = ("logistic", codes.astype(float)) if len(classes) == 2 else ("multinomial", codes)
    return separation_of(Problem(X, codes, loss, None, fit_intercept))


def separation_of(problem: Problem, columns=None) -> Separation:
    """The Separation of a problem whose weights of `columns` (None: all) and intercept are not penalised."""
    columns = np.arange(problem.p) if columns is None else np.asarray(columns)
    signs, none = problem.loss.recession(problem.y), np.zeros(0, dtype=int)
    nothing = Separation(none, none, False, problem.n, problem.loss.coded)
    if signs is None or not signs.any() or not (len(columns) or problem.fit_intercept):
        return nothing
    question = _Question(problem, columns, signs)
    if question.fitted is not None and question.overlaps():
        return nothing
    if question.all_apart():
        return Separation(question.present, none, True, problem.n, problem.loss.coded)
    rows, used, complete = question.peeled()
    return Separation(question.present[rows], columns[used], complete, problem.n, problem.loss.coded)


class _Question:
    """Rows a_i, one for every entry of η that may move to one side only, and the moves B v."""

    def __init__(self, problem: Problem, columns, signs):
        whole = len(columns) == problem.p
        self.problem, self.loss = problem, problem.loss
        self.present = np.flatnonzero(problem.s > 0)
        X = problem.X if whole else problem.X[:, columns]
        if len(self.present) < problem.n:
            X = (X.tocsr() if problem.design.sparse else X)[self.present]
        self.X, self.y, self.signs = X, problem.y[self.present], signs[self.present]
        self.n, self.p = X.shape
        self.intercept = bool(problem.fit_intercept)
        low, high = (_flat(extreme) for extreme in (X.min(axis=0), X.max(axis=0)))
        self.means = problem.design.means[columns] if self.intercept else np.zeros(self.p)
        size = np.maximum(high - self.means, self.means - low)
        rounding = 16 * np.finfo(float).eps * np.maximum(np.abs(low), np.abs(high))
        self.scale = np.where(
            size > (rounding if self.intercept else 0.0), size, np.inf
        )  # a constant column moves nothing
        self.dim, self.K = self.p + self.intercept, self.signs.shape[1] if self.signs.ndim == 2 else 1
        self.fitted: Any = self._fit() if self.dim <= min(self.n, _LARGEST_FIT) else None

    # --- the moves B v -------------------------------------------------------------------------------------
    def moves(self, V):
        """B V for V (dim, K): (n, K)."""
        W = V[: self.p] / self.scale[:, None]
        return self.X @ W - self.means @ W + (V[self.p] if self.intercept else 0.0)

    def back(self, W):
        """B'W for W (n, K): (dim, K)."""
        found = (self.X.T @ W - np.outer(self.means, W.sum(0))) / self.scale[:, None]
        return np.concatenate([found, W.sum(0)[None]]) if self.intercept else found

    def block(self, rows):
        """Some rows of B, dense."""
        X = self.X.tocsr()[rows].toarray() if self.problem.design.sparse else self.X[rows]
        B = (X - self.means) / self.scale
        return np.column_stack([B, np.ones(len(B))]) if self.intercept else B

    def margins(self, moves):
        """a_i'v from B v (n, K): in the shape of the signs; of entries that may not move, the move itself."""
        if self.loss.per_class:
            return moves[np.arange(self.n), self.y][:, None] - moves
        return np.where(self.signs == 0, 1.0, self.signs) * moves[:, 0]

    # --- what a fit proves ---------------------------------------------------------------------------------
    def _fit(self):
        """η of an unpenalised fit, (n, K)."""
        s = None if len(self.present) < self.problem.n else self.problem.s
        part = Problem(self.X, self.y, self.loss, s, self.intercept)
        found = solver_for(part).solve(L2(0.0), 1e-14, 40)
        return part.eta(found.w, found.b).reshape(self.n, -1)

    def overlaps(self) -> bool:
        """Whether the residuals of the fit, moved so that they are orthogonal to B, are such q > 0."""
        eta = self.fitted if self.loss.per_class else self.fitted[:, 0]
        v = self.loss.gradient(self.y, eta).reshape(self.n, -1)
        G, left = np.zeros((self.dim, self.dim)), self.back(v)
        step = max(256, _BLOCK // self.dim)
        for start in range(0, self.n, step):
            B = self.block(slice(start, start + step))
            G += B.T @ B
        values, vectors = np.linalg.eigh(G)
        known = values > 1e-12 * values[-1]
        z = vectors[:, known] @ ((vectors[:, known].T @ left) / values[known][:, None])
        if np.abs(left - G @ z).max() > 1e-13 * np.abs(v).sum():
            return False
        bound = self.signs.reshape(self.n, -1) != 0
        return bool((np.abs(self.moves(z)) <= 0.5 * np.abs(v))[bound].all())

    def all_apart(self) -> bool:
        """Whether the weights of the fit, or of least squares where columns are many, move all rows to their side."""
        moves = self.fitted if self.fitted is not None else self._least_squares()
        self.order = self.margins(moves)
        bound, size = self.signs != 0, np.abs(moves).max()
        rest = np.abs(self.order[~bound]).max(initial=0.0) if not self.loss.per_class else 0.0
        return bool(self.order[bound].min() > 1e-6 * size and rest <= 1e-9 * size)

    def _least_squares(self):
        own = np.arange(self.K)[None] == self.y[:, None] if self.loss.per_class else self.signs[:, None]
        if self.problem.design.sparse:
            from scipy.sparse.linalg import LinearOperator, lsmr

            B = LinearOperator(
                (self.n, self.dim),
                lambda v: self.moves(v.reshape(-1, 1))[:, 0],
                lambda v: self.back(v.reshape(-1, 1))[:, 0],
            )
            V = np.column_stack([lsmr(B, target, atol=1e-12, btol=1e-12)[0] for target in own.T.astype(float)])
        else:
            V = np.linalg.lstsq(self.block(slice(None)), own.astype(float), rcond=None)[0]
        return self.moves(V)

    # --- what a linear program decides ---------------------------------------------------------------------
    def peeled(self):
        """(mask of the rows, mask of the columns, whether all is separated): one direction after the other.

        The rows moved by one direction are excluded for the next, because a large multiple of the first keeps them on
        their side.
        """
        active, used, bound = self.signs != 0, np.zeros(self.p, dtype=bool), self.signs != 0
        while active.any():
            v = self._direction(active)
            if v is None:
                break
            moved = active & (self.margins(self.moves(v)) > _ROUNDING * np.abs(v).sum())
            used |= (np.abs(v[: self.p]) > _ROUNDING * np.abs(v).max()).any(1)
            active &= ~moved
        gone = bound & ~active
        return (gone if gone.ndim == 1 else gone.any(1)), used, not active.any() and bool(gone.any())

    def _direction(self, active):
        """v (dim, K) of the linear program for the entries `active`, on the rows that bind it; None where there is none."""
        entries = np.flatnonzero(active)
        still = np.flatnonzero(self.signs == 0) if not self.loss.per_class else entries[:0]
        most = 3 * self.dim * self.K
        chosen = entries[np.argsort(self.order.flat[entries], kind="stable")[:most]]
        fixed = still[:: max(1, len(still) // (2 * self.dim))]
        total = self._total(active) / len(entries)
        while True:
            v = self._program(chosen, fixed, total)
            if v is None:
                return None
            margins, least = self.margins(self.moves(v)).ravel(), _ROUNDING * np.abs(v).sum()
            broken = entries[margins[entries] < -least]
            shifted = still[np.abs(margins[still]) > least]
            new = np.setdiff1d(broken[np.argsort(margins[broken])[:most]], chosen)
            shifted = np.setdiff1d(shifted[np.argsort(-np.abs(margins[shifted]))[: 2 * self.dim]], fixed)
            if not len(new) and not len(shifted):
                return v if not len(broken) else None
            chosen, fixed = np.concatenate([chosen, new]), np.concatenate([fixed, shifted])

    def _total(self, active):
        """Σ a_i over the active entries, (dim · K,)."""
        if not self.loss.per_class:
            return self.back((self.signs * active)[:, None]).T.ravel()
        W = -active.astype(float)
        W[np.arange(self.n), self.y] += active.sum(1)
        return self.back(W).T.ravel()

    def _program(self, chosen, fixed, total):
        from scipy.optimize import linprog  # slow to load
        from scipy.sparse import csr_array, hstack, vstack

        A = self._constraints(chosen)
        E = vstack([csr_array(total[None]), self._constraints(fixed)]).tocsr()
        right = np.zeros(E.shape[0])
        right[0] = 1.0
        options = {"primal_feasibility_tolerance": 1e-9, "dual_feasibility_tolerance": 1e-9, "time_limit": _SECONDS}
        for method in ("highs", "highs-ipm"):
            found = linprog(
                np.ones(2 * A.shape[1]),
                A_ub=hstack([-A, A]).tocsr(),
                b_ub=np.zeros(A.shape[0]),
                A_eq=hstack([E, -E]).tocsr(),
                b_eq=right,
                method=method,
                options=options,
            )
            if found.status in (0, 2):
                break
        else:
            raise RuntimeError(
                f"The linear program that determines whether a finite optimum exists was not solved: {found.message}"
            )
        return (
            None if found.status == 2 else (found.x[: A.shape[1]] - found.x[A.shape[1] :]).reshape(self.K, self.dim).T
        )

    def _constraints(self, entries):
        """a_i of some entries of the signs, sparse (len(entries), K · dim), a class after the other."""
        from scipy.sparse import csr_array

        if not self.loss.per_class:
            return csr_array(np.where(self.signs == 0, 1.0, self.signs)[entries][:, None] * self.block(entries))
        i, k = np.divmod(entries, self.K)
        B, at = self.block(i), np.arange(self.dim)
        where = np.concatenate([self.y[i][:, None] * self.dim + at, k[:, None] * self.dim + at], axis=1)
        starts = np.arange(len(i) + 1) * 2 * self.dim
        return csr_array(
            (np.concatenate([B, -B], axis=1).ravel(), where.ravel(), starts), shape=(len(i), self.K * self.dim)
        )


def _flat(extreme):
    """A column-wise extreme of a dense or a sparse X as an array."""
    return np.asarray(extreme.toarray() if hasattr(extreme, "toarray") else extreme, dtype=float).ravel()
