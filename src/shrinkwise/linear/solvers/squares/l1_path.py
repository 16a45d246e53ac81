"""Least squares with L1 + L2 over a decreasing grid of λ: working sets, blocks of λ, one kernel call a block.

With p ≤ n all columns are in from the start. Otherwise the working set is what the sequential strong rule keeps at the next λ
and what the line through the last two gradients brings near its threshold within a block of λ; the block is solved on it,
and the gradients of the whole block on all columns are one matrix product. The solutions up to the first whose duality gap,
over all columns, is too large are kept; columns that violate join the set.

References: Tibshirani et al., Strong rules for discarding predictors in lasso-type problems, JRSS B 2012. Massias, Gramfort,
Salmon, Celer, ICML 2018.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from shrinkwise import kernels
from shrinkwise.kernels import PathRows
from shrinkwise.linear.problem.gram_storage import LARGEST_WHOLE, GrowingGram, WholeGram

from .strengths import Strengths

# A column joins the working set when its gradient is predicted to reach this share of its threshold. Measured on 100×20000:
# at .95 no block of 16 λ had to be solved again, and the set is a third of the strong rule's.
_LIKELY, _LONGEST = 0.95, 16


class L1Path:
    """Solves min ½‖ỹ − X̃w‖²/n + Σ a|w| + ½Σ b w² over a decreasing grid of λ, each started from the last.

    Parameters
    ----------
    design : Design, for X̃.  y : (n,) ỹ.  c : (p,) X̃'ỹ/n.
    gram : (p, p) X̃'X̃/n where it is known already.
    """

    def __init__(self, design, y, c, gram=None):
        self.design, self.c = design, c
        self.yy = float(y @ y) / design.n
        self.whole = gram is not None or design.p <= min(design.n, LARGEST_WHOLE)
        self.gram: Any = WholeGram(design, gram) if self.whole else GrowingGram(design)

    def _reach(self, strengths):
        """√(yy/G_jj) of the columns that no λ penalises, 0 of the others."""
        free = np.flatnonzero(~np.logical_or.reduce([part != 0 for part in (*strengths.fixed, *strengths.scaled)]))
        reach = np.zeros(self.design.p)
        if not len(free):
            return reach
        square = (self.design.centred_columns(free) ** 2).mean(0)
        reach[free] = np.sqrt(self.yy / np.where(square > 0, square, np.inf))
        return reach

    def solve(self, lambdas, strengths: Strengths, gap: float, max_sweeps: int) -> Iterator[tuple]:
        """The solutions over a decreasing grid, several λ at a time: weights (k, p), certificates (3, k), sweeps (k,).

        The rows of the certificates are the absolute duality gap, which is ≤ `gap` unless `max_sweeps` sweeps are too few, the
        violation of stationarity and the objective. Negative sweeps: not solved.
        """
        self.reach = self._reach(strengths)
        work = self._whole if self.whole else self._blocks
        return work(np.ascontiguousarray(lambdas, dtype=float), strengths, gap, max_sweeps)

    def _whole(self, lambdas, strengths, gap, max_sweeps):
        rows = PathRows.of(lambdas, *strengths.rows(lambdas))
        kernels.gram_path(self.gram.G, self.c, self.yy, rows, tol_gap=gap, max_sweeps=max_sweeps)
        found = kernels.gram_certificates(rows.W, rows.R, self.c, rows.A, rows.B, self.reach, self.yy)
        yield rows.W, found.T, rows.count

    # --- working sets ---------------------------------------------------------------------------------------------
    def _blocks(self, lambdas, strengths, gap, max_sweeps):
        history = [(np.zeros(self.design.p), self.c)]  # (w, r) at the start and at the last two λ
        a_last, size, done = strengths.at(lambdas[0])[0], 4, 0
        while done < len(lambdas):
            block = self._admit(history, a_last, lambdas, done, size, strengths)
            before = lambdas[max(done - 2, 0) : done]
            known = history[-len(before) :] if done else []
            W, R, sweeps = self._solve_block(before, block, known, strengths, gap, max_sweeps)
            certificates = np.concatenate(
                [self._certificate(*each, strengths) for each in zip(W, R, block, strict=True)]
            )
            kept = self._admit_missed(certificates[:, 0] > gap, R, block, strengths)
            if kept:
                yield W[:kept], certificates[:kept].T, sweeps[:kept]
                # Copies: rows of the block would keep all of it in memory.
                history = [*history, *((W[k].copy(), R[k].copy()) for k in range(max(kept - 2, 0), kept))][-2:]
                a_last, done = strengths.at(block[kept - 1])[0], done + kept
            size = min(size + 2, _LONGEST) if kept == len(block) else max(2, size // 2)

    def _certificate(self, w, r, lam, strengths):
        """(1, 3): absolute gap, violation, objective; one λ at a time, so that the strengths of a block are never stored."""
        a, b = strengths.at(lam)
        return kernels.gram_certificates(w[None], r[None], self.c, a[None], b[None], self.reach, self.yy)

    def _admit_missed(self, loose, R, block, strengths) -> int:
        """The number of final solutions, those before the first with too large a gap and missing columns, which are added."""
        for k in np.flatnonzero(loose):
            missed = np.flatnonzero((np.abs(R[k]) > strengths.at(block[k])[0]) & ~self.gram.member)
            if len(missed):
                self.gram.admit(missed)
                return int(k)
        return len(R)

    def _admit(self, history, a_last, lambdas, done, size, strengths):
        """Add what may be active at the next `size` λ; returns those λ whose columns cost at most a few passes over X.

        Kept is what the strong rule keeps at the next λ, and what passes a share of the threshold of the last one on the
        line through the last two gradients.
        """
        r, m = history[-1][1], len(self.gram)
        room = 0.5 * (np.sqrt(m * m + 64.0 * len(r)) - m)  # k new columns: k (m + k) products of columns
        slope = None
        if done > 1:
            slope = (r - history[-2][1]) / (lambdas[done - 2] - lambdas[done - 1])
        while True:
            block = lambdas[done : done + size]
            a = strengths.at(block[-1])[0]
            if slope is None:
                likely = np.abs(r) >= 2.0 * a - a_last
            else:
                likely = np.abs(r + slope * (lambdas[done - 1] - block[-1])) >= _LIKELY * a
                likely |= np.abs(r) >= 2.0 * strengths.at(block[0])[0] - a_last
            new = np.flatnonzero((likely | (a == 0)) & ~self.gram.member)
            if len(new) <= room or len(block) == 1:
                self.gram.admit(new)
                return block
            size = (len(block) + 1) // 2

    def _solve_block(self, before, block, history, strengths, gap, max_sweeps):
        """(W, R, sweeps) of a block solved on the working set, R = c − X̃'X̃w/n on all columns."""
        order, known = self.gram.order, len(before)
        lambdas = np.concatenate([before, block])
        rows = PathRows.of(lambdas, *strengths.rows(lambdas, order))
        rows.known = known
        for k, (w, r) in enumerate(history):
            rows.W[k], rows.R[k] = w[order], r[order]
        # A little of the tolerance is left for columns outside.
        c = np.ascontiguousarray(self.c[order])
        kernels.gram_path(self.gram.G, c, self.yy, rows, tol_gap=0.7 * gap, max_sweeps=max_sweeps)
        W = rows.W[known:]
        used = np.flatnonzero((W != 0).any(0))
        fitted = self.gram.X[:, used] @ W[:, used].T
        full = np.zeros((len(block), self.design.p))
        full[:, order] = W
        R = np.ascontiguousarray(self.design.centred_transposed(fitted).T)
        R /= -self.design.n
        R += self.c
        return full, R, rows.count[known:]
