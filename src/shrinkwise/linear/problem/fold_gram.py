"""The Gram matrices of cross-validation: that of all rows, less the held-out block."""

from __future__ import annotations

import numpy as np

from .gram_storage import LARGEST_WHOLE
from .rounding import constant_columns

# Where a column keeps less than this share of its variance, the difference has lost digits and is computed anew.
_KEPT = 1e-4


class FoldGrams:
    """X̃'X̃/n of the training part of a fold, X̃ centred and weighted by that part alone.

    With M = Σ s_i (x_i − x̄)(x_i − x̄)' over all rows and h the held-out ones, S the weight of the others,

        M_train = M − M_h − m_h m_h'/S        m_h = Σ_h s_i (x_i − x̄)        G_train = M_train / S

    so that a fold costs a product of its held-out rows only, and all folds together as much as one Gram matrix.
    """

    def __init__(self, problem):
        self.design, self.n = problem.design, problem.n
        self.whole = self.n * self.design.gram()

    @staticmethod
    def pay(problem, penalty, smallest_part: int) -> bool:
        """Whether the solver of parts of so many rows works with the whole Gram matrix, and not from a decomposition."""
        if problem.design.sparse or not problem.loss.is_quadratic or np.ndim(problem.y) > 1:
            return False
        parts = penalty.with_lam(1.0).l1_l2((problem.p,))
        ridge = parts is not None and not parts[0].any()
        return not ridge and problem.p <= min(smallest_part, LARGEST_WHOLE)

    def without(self, train):
        """The Gram matrix of the rows `train`; None where they are fewer than half, and it costs less from them alone."""
        train = np.asarray(train)
        train = np.flatnonzero(train) if train.dtype == bool else train
        others = np.ones(self.n, dtype=bool)
        others[train] = False
        held = np.flatnonzero(others)
        if 2 * len(held) > self.n or len(train) + len(held) > self.n:  # half the rows or more, or a row twice
            return None
        design = self.design
        block = design.X[held] - design.means
        s = design.s[held]
        remaining = self.n - s.sum()
        G = self.whole - (block.T * s) @ block
        if design.centre:
            shift = s @ block
            G -= np.outer(shift, shift / remaining)
        G /= remaining
        lost = np.flatnonzero(np.diagonal(G) < _KEPT * np.diagonal(self.whole) / self.n)
        if len(lost):
            part = type(design)(design.X[train], design.s[train] * (len(train) / remaining), design.centre)
            G[lost] = part.centred_transposed(part.centred_columns(lost)).T / part.n
            G[:, lost] = G[lost].T
            constant = lost[constant_columns(np.ascontiguousarray(design.X[np.ix_(train, lost)]))]
            G[constant] = G[:, constant] = 0.0
        return G
