"""The linear program that decides whether some direction separates rows, on the few rows that bind it."""

from __future__ import annotations

import time

import numpy as np

from .rows import SMALLEST_MOVE, MovableRows

_ROUNDING = 4e-9  # of ‖v‖₁: a margin below it is 0; the linear program is solved to 1e-9
_SHRINK = 1e-7  # ε: rows that only a v of ‖v‖₁ > 1/ε moves by 1 count as not moved
_SECONDS = 30.0  # most time of all linear programs of one question


class Undecided(Exception):
    """The linear program was not solved."""


def peeled(rows: MovableRows, order, core=None, still=None):
    """(mask of the rows, mask of the columns, whether all is separated): one direction after the other.

    What one direction moves is left out for the next: a large multiple of the first keeps it on its side. `order` are
    margins of some fit: the program starts from the rows of the smallest. `core` is a mask (n, K) of entries that no
    allowed v moves, and `still` a basis of the v that leave them where they are, where they are known.
    """
    bound = rows.signs != 0
    core = np.zeros_like(bound) if core is None else bound & core.reshape(bound.shape)
    active, used = bound & ~core, np.zeros(rows.p, dtype=bool)
    program = _Program(rows, order, core, still)
    while active.any():
        v = program.direction(active)
        if v is None:
            break
        used |= (np.abs(v[: rows.p]) > _ROUNDING * np.abs(v).max()).any(1)
        active &= rows.margins(rows.moves(v)) <= _ROUNDING * np.abs(v).sum()
    gone = bound & ~core & ~active
    return (gone if gone.ndim == 1 else gone.any(1)), used, bool(gone[bound].all())


class _Program:
    """max Σ t_i − ε‖v‖₁, 0 ≤ t_i ≤ 1, t_i ≤ a_i'v for the active entries, B_i v = 0 for those that may not move.

    Sums of directions are directions, so that at the optimum all entries that some direction moves have t_i = 1. One
    t ≤ Σ a_i'v over the entries that are left out, because they do not bind, shows if any of them moves.
    """

    def __init__(self, rows: MovableRows, order, core, still):
        self.rows, self.order, self.core, self.still = rows, order, core, still
        self.deadline = time.monotonic() + _SECONDS
        limits = np.where(np.concatenate([rows.rises, rows.falls]), np.inf, 0.0)
        self.bounds = np.column_stack([np.zeros(len(limits)), limits])

    def direction(self, active):
        """v (dim, K), None where there is none; the rows that bind it are found round by round."""
        rows = self.rows
        if self.still is not None and not self.still.shape[1]:
            return None
        entries, most = np.flatnonzero(active), 3 * rows.dim * rows.K
        halt = np.flatnonzero(rows.signs == 0) if not rows.loss.per_class and self.still is None else entries[:0]
        chosen = entries[np.argsort(self.order.flat[entries], kind="stable")[:most]]
        fixed = halt[:: max(1, len(halt) // (2 * rows.dim))]
        total = self._total(active)
        while True:
            v = self._solved(chosen, fixed, total)
            if not v.any():
                return None
            margins, least = rows.margins(rows.moves(v)).ravel(), _ROUNDING * np.abs(v).sum()
            broken = entries[margins[entries] < -least]
            shifted = halt[np.abs(margins[halt]) > least]
            new = np.setdiff1d(broken[np.argsort(margins[broken])[:most]], chosen)
            shifted = np.setdiff1d(shifted[np.argsort(-np.abs(margins[shifted]))[: 2 * rows.dim]], fixed)
            if not len(new) and not len(shifted):
                if len(broken) or (np.abs(margins[self.core.ravel()]) > least).any():
                    raise Undecided("the linear program that decides it was solved to less than its tolerance")
                return v
            chosen, fixed = np.concatenate([chosen, new]), np.concatenate([fixed, shifted])

    def _total(self, active):
        """Σ a_i over the active entries, (dim · K,)."""
        rows = self.rows
        if not rows.loss.per_class:
            return rows.back((rows.signs * active)[:, None]).T.ravel()
        W = -active.astype(float)
        W[np.arange(rows.n), rows.y] += active.sum(1)
        return rows.back(W).T.ravel()

    def _solved(self, chosen, fixed, total):
        """v (dim, K) of the program for some entries, zero where none of them moves."""
        from scipy.optimize import linprog  # slow to load

        program, D = self._written(chosen, fixed, total), self.rows.dim * self.rows.K
        for method in ("highs", "highs-ipm"):
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise Undecided(f"the linear program that decides it was not solved in {_SECONDS:g} seconds")
            options = {"primal_feasibility_tolerance": 1e-9, "dual_feasibility_tolerance": 1e-9, "time_limit": left}
            found = linprog(**program, method=method, options=options)
            if found.status == 0:
                x = found.x
                v = x[:D] - x[D : 2 * D] if self.still is None else self.still @ x[2 * D : 2 * D + self.still.shape[1]]
                moved = (x[-len(chosen) - 1 :] > 0.5).any()
                if not moved and not self._excluded(program, found):
                    continue
                return v.reshape(self.rows.K, self.rows.dim).T * moved
        why = found.message if found.status else "its dual solution is no proof"
        raise Undecided(f"the linear program that decides it was not solved ({why})")

    def _excluded(self, program, found) -> bool:
        """Whether the dual solution proves that no allowed v with ‖v‖₁ = 1 moves an active entry by more than `SMALLEST_MOVE`.

        Its q > 0 and r have Σ q_i a_i'v + Σ r_i B_i'v ≤ max |Σ q_i a_i + Σ r_i B_i| for such a v, over the signs that v may
        have; this is computed here, and nothing else that the program says is used.
        """
        D = self.rows.dim * self.rows.K
        q, r = -found.ineqlin.marginals, found.eqlin.marginals
        if self.still is None:
            pull, rest = program["A_ub"][:, D : 2 * D].T @ q + program["A_eq"][:, :D].T @ r, 0.0
        else:  # (Σ q_i a_i)'v = r'v + the rest's product with u, v = still · u
            within = program["A_ub"][:, 2 * D : 2 * D + self.still.shape[1]].T @ q
            pull, rest = r, float(np.linalg.norm(within + self.still.T @ r))
        largest = np.concatenate([pull, -pull])[self.bounds[:, 1] > 0].max(initial=0.0) + rest
        return bool(largest <= SMALLEST_MOVE * q.min())

    def _written(self, chosen, fixed, total) -> dict:
        """The program in v = v⁺ − v⁻, with a basis `still` also in the u of v = still · u, and t."""
        from scipy.sparse import csr_array, eye_array, hstack, vstack

        A, m = vstack([self._constraints(chosen), csr_array(total[None])]).tocsr(), len(chosen) + 1
        D, r = A.shape[1], 0 if self.still is None else self.still.shape[1]
        if self.still is None:
            E = self._constraints(fixed)
            upper, equal = hstack([-A, A, eye_array(m)]), hstack([E, -E, csr_array((len(fixed), m))])
        else:
            upper = hstack([csr_array((m, 2 * D)), csr_array(-(A @ self.still)), eye_array(m)])
            equal = hstack([eye_array(D), -eye_array(D), csr_array(-self.still), csr_array((D, m))])
        return {
            "c": np.concatenate([np.full(2 * D, _SHRINK), np.zeros(r), -np.ones(m)]),
            "A_ub": upper.tocsr(),
            "b_ub": np.zeros(m),
            "A_eq": equal.tocsr(),
            "b_eq": np.zeros(equal.shape[0]),
            "bounds": np.concatenate([self.bounds, np.tile([-np.inf, np.inf], (r, 1)), np.tile([0.0, 1.0], (m, 1))]),
        }

    def _constraints(self, entries):
        """a_i of some entries of the signs, sparse (len(entries), K · dim), a class after the other."""
        from scipy.sparse import csr_array

        rows = self.rows
        if not rows.loss.per_class:
            return csr_array(np.where(rows.signs == 0, 1.0, rows.signs)[entries][:, None] * rows.block(entries))
        i, k = np.divmod(entries, rows.K)
        B, at = rows.block(i), np.arange(rows.dim)
        where = np.concatenate([rows.y[i][:, None] * rows.dim + at, k[:, None] * rows.dim + at], axis=1)
        starts = np.arange(len(i) + 1) * 2 * rows.dim
        return csr_array(
            (np.concatenate([B, -B], axis=1).ravel(), where.ravel(), starts), shape=(len(i), rows.K * rows.dim)
        )
