"""Least squares with L1 + L2 over a decreasing grid of λ: working sets, blocks of λ, one kernel call a block.

With p ≤ n all columns are in from the start. Otherwise the working set is what the sequential strong rule keeps at the next λ
and what the line through the last two gradients brings near its threshold within a block of λ; the block is solved on it,
and the gradients of the whole block on all columns are one matrix product. The solutions up to the first whose duality gap,
over all columns, is too large are kept; columns that violate join the set.

References: Tibshirani et al., Strong rules for discarding predictors in lasso-type problems, JRSS B 2012. Massias, Gramfort,
Salmon, Celer, ICML 2018.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import kernels
from .growing import GrowingGram, WholeGram

LARGEST_WHOLE = 5000  # columns up to which the whole Gram matrix is formed when p ≤ n
# A column joins the working set when its gradient is predicted to reach this share of its threshold. Measured on 100×20000:
# at .95 no block of 16 λ had to be solved again, and the set is a third of the strong rule's.
_LIKELY, _LONGEST = 0.95, 16


class Strengths:
    """a(λ) = a₀ + λa₁ and b(λ) = b₀ + λb₁ of a penalty Σ a|w| + ½Σ b w², or None where it is another."""

    def __init__(self, fixed, scaled):
        self.fixed, self.scaled = fixed, scaled

    @classmethod
    def of(cls, penalty, shape) -> Strengths | None:
        """Read from a penalty; λ scales all its terms but the fixed ones."""
        at_zero, at_one = penalty.with_lam(0.0).l1_l2(shape), penalty.with_lam(1.0).l1_l2(shape)
        if at_zero is None or at_one is None:
            return None
        return cls(at_zero, tuple(one - zero for one, zero in zip(at_one, at_zero, strict=True)))

    def at(self, lam: float, columns=slice(None)):
        """(a, b) at λ, for some columns."""
        return tuple(zero[columns] + lam * one[columns] for zero, one in zip(self.fixed, self.scaled, strict=True))

    def count_l1(self, lambdas) -> int:
        """How many of the decreasing λ have an L1 part."""
        fixed, scaled = self.fixed[0].any(), self.scaled[0].any()
        return len(lambdas) if fixed else int((np.asarray(lambdas) > 0).sum()) if scaled else 0

    def rows(self, lambdas, columns=slice(None)):
        """(A, B) for several λ, C-contiguous."""
        lambdas = np.asarray(lambdas)[:, None]
        return tuple(zero[columns] + lambdas * one[columns] for zero, one in zip(self.fixed, self.scaled, strict=True))


@dataclass
class Fit:
    """The solution at one λ: non-zero weights, absolute gap, largest violation, objective, sweeps (negative: not solved)."""

    support: np.ndarray
    weights: np.ndarray
    n_columns: int
    gap: float
    kkt: float
    objective: float
    sweeps: int

    @property
    def w(self):
        """All weights, (p,)."""
        w = np.zeros(self.n_columns)
        w[self.support] = self.weights
        return w


class L1Path:
    """Solves min ½‖ỹ − X̃w‖²/n + Σ a|w| + ½Σ b w² for λ after λ, from each other.

    Parameters
    ----------
    design : Design, for X̃.  y : (n,) ỹ.  c : (p,) X̃'ỹ/n.
    gram : (p, p) X̃'X̃/n where it is known already.
    """

    def __init__(self, design, y, c, gram=None):
        self.design, self.c = design, c
        self.yy = float(y @ y) / design.n
        self.whole = gram is not None or design.p <= min(design.n, LARGEST_WHOLE)
        self.gram = WholeGram(design, gram) if self.whole else GrowingGram(design)

    def _reach(self, strengths):
        """√(yy/G_jj) of the columns that no λ penalises, 0 of the others."""
        free = np.flatnonzero(~np.logical_or.reduce([part != 0 for part in (*strengths.fixed, *strengths.scaled)]))
        reach = np.zeros(self.design.p)
        square = (self.design.centred_columns(free) ** 2).mean(0)
        reach[free] = np.sqrt(self.yy / np.where(square > 0, square, np.inf))
        return reach

    def solve(self, lambdas, strengths: Strengths, gap: float, max_sweeps: int) -> list[Fit]:
        """A Fit for every λ of the decreasing grid, its absolute duality gap ≤ `gap` where max_sweeps sweeps reach it."""
        self.reach = self._reach(strengths)
        work = self._whole if self.whole else self._blocks
        return work(np.ascontiguousarray(lambdas, dtype=float), strengths, gap, max_sweeps)

    def _fits(self, W, R, A, B, sweeps) -> list[Fit]:
        certificates = kernels.gram_certificates(W, R, self.c, A, B, self.reach, self.yy).tolist()
        fits = []
        for w, (gap, kkt, objective), taken in zip(W, certificates, sweeps.tolist(), strict=True):
            support = w.nonzero()[0]
            fits.append(Fit(support, w[support], len(w), gap, kkt, objective, taken))
        return fits

    def _whole(self, lambdas, strengths, gap, max_sweeps):
        A, B = strengths.rows(lambdas)
        W, R, count = np.empty_like(A), np.empty_like(A), np.zeros(len(A), dtype=np.int64)
        self._run(self.c, (lambdas, A, B, W, R, count), 0, gap, max_sweeps)
        return self._fits(W, R, A, B, count)

    def _run(self, c, arrays, known, gap, max_sweeps):
        """The kernel stops at a λ that it cannot solve; go on from there."""
        while known < len(arrays[0]):
            known = kernels.gram_path(self.gram.G, c, self.yy, known, *arrays, tol_gap=gap, max_sweeps=max_sweeps)

    # --- working sets ---------------------------------------------------------------------------------------------
    def _blocks(self, lambdas, strengths, gap, max_sweeps):
        fits: list[Fit] = []
        history = [(np.zeros(self.design.p), self.c)]  # (w, r) at the start and at the last two λ
        a_last, size = strengths.at(lambdas[0])[0], 4
        while len(fits) < len(lambdas):
            done = len(fits)
            block = self._admit(history, a_last, lambdas, done, size, strengths)
            before = lambdas[max(done - 2, 0) : done]
            W, R, count = self._solve_block(
                before, block, history[-len(before) :] if done else [], strengths, gap, max_sweeps
            )
            kept = 0
            A, B = strengths.rows(block)
            for fit, w, r, a in zip(self._fits(W, R, A, B, count), W, R, A, strict=True):
                missed = np.flatnonzero((np.abs(r) > a) & ~self.gram.member) if fit.gap > gap else []
                if len(missed):  # the working set lacks them: take them in and solve again from here
                    self.gram.admit(missed)
                    break
                fits.append(fit)
                history, a_last, kept = [*history[-1:], (w, r)], a, kept + 1
            size = min(size + 2, _LONGEST) if kept == len(block) else max(2, size // 2)
        return fits

    def _admit(self, history, a_last, lambdas, done, size, strengths):
        """Take in what may be active at the next `size` λ; returns those λ whose columns cost no more than a few passes over X.

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
        A, B = strengths.rows(lambdas, order)
        W, R, count = np.zeros_like(A), np.zeros_like(A), np.zeros(len(A), dtype=np.int64)
        for k, (w, r) in enumerate(history[-known:] if known else []):
            W[k], R[k] = w[order], r[order]
        # A little of the tolerance is left for columns outside.
        self._run(np.ascontiguousarray(self.c[order]), (lambdas, A, B, W, R, count), known, 0.7 * gap, max_sweeps)
        W = W[known:]
        used = np.flatnonzero((W != 0).any(0))
        fitted = self.gram.X[:, used] @ W[:, used].T
        full = np.zeros((len(block), self.design.p))
        full[:, order] = W
        R = self.c - self.design.centred_transposed(fitted).T / self.design.n
        return full, np.ascontiguousarray(R), count[known:]
