"""Least squares with L1 + L2 within bounds over a decreasing grid of λ: one kernel call, the certificates of all λ together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shrinkwise import kernels
from shrinkwise.kernels import PathRows
from shrinkwise.penalties import Pieces

from .strengths import Strengths

_EPS = np.finfo(float).eps


@dataclass
class BoundedPath:
    """Solves min ½‖ỹ − X̃w‖²/n + Σ a|w| + ½Σ b w² for low ≤ w ≤ high and λ after λ, in Gram space.

    Parameters
    ----------
    G : (p, p) X̃'X̃/n.  c : (p,) X̃'ỹ/n.  yy : ‖ỹ‖²/n.
    """

    G: np.ndarray
    c: np.ndarray
    yy: float

    def __post_init__(self):
        diagonal = np.diagonal(self.G)
        # the weight that alone would explain all of y
        self.reach = np.sqrt(self.yy / np.where(diagonal > 0, diagonal, np.inf))

    def solve(self, lambdas, strengths: Strengths, bounds, start, gap: float, max_sweeps: int) -> tuple:
        """The solutions over a decreasing grid from w = `start`: weights, certificates, sweeps as from `L1Path.solve`.

        bounds : (low, high), each (p,).
        """
        lambdas = np.asarray(lambdas, dtype=float)
        rows = PathRows.of(np.append(np.inf, lambdas), *strengths.rows(np.append(lambdas[:1], lambdas)))
        rows.W[0], rows.known = start, 1
        scale = float(np.abs(self.c).max(initial=0.0))
        tol = max(0.05 * gap / self.yy if self.yy > 0 else 0.0, 4.0 * _EPS)
        low, high = bounds
        kernels.gram_bounded(self.G, self.c, low, high, rows, tol * scale, max_sweeps)
        certificates = self._certificates(rows, bounds, slice(1, None))
        loose = 1 + np.flatnonzero((certificates[0] > gap) & (rows.count[1:] > 0))
        for k in loose:
            self._solve_on(rows, bounds, k, 4.0 * _EPS * scale, max_sweeps - rows.count[k])
        if len(loose):
            certificates[:, loose - 1] = self._certificates(rows, bounds, loose)
        return rows.W[1:], certificates, rows.count[1:]

    def _solve_on(self, rows, bounds, k, tol, max_sweeps):
        """Row k solved to the violation `tol`, which is what rounding leaves."""
        again = PathRows.of(np.ones(2), rows.A[[k, k]], rows.B[[k, k]])
        again.W[0], again.known = rows.W[k], 1
        low, high = bounds
        kernels.gram_bounded(self.G, self.c, low, high, again, tol, max_sweeps)
        rows.W[k], rows.R[k], rows.count[k] = again.W[1], again.R[1], rows.count[k] + abs(again.count[1])

    def _certificates(self, rows, bounds, which):
        """(absolute gap, largest violation, objective) of some rows, (3, k); see `linear.certificates`."""
        W, R, A, B, yy = rows.W[which], rows.R[which], rows.A[which], rows.B[which], self.yy
        pieces = Pieces(((A, None),), b=B, low=bounds[0], high=bounds[1])
        violations = np.abs(pieces.remainder(W, -R)).max(1, initial=0.0)
        value = (A * np.abs(W) + 0.5 * B * W * W).sum(1)
        cw, rr = W @ self.c, np.maximum(yy - ((self.c + R) * W).sum(1), 0.0)
        beside = pieces.beside_domain(R)
        alpha = pieces.dual_scales(R - beside)
        conjugate = pieces.conjugates(alpha[:, None] * (R - beside)).sum(1)
        slack = (np.abs(beside) * (np.abs(W) + self.reach)).sum(1)
        gaps = np.maximum(0.5 * rr + value - alpha * (yy - cw) + 0.5 * alpha**2 * rr + conjugate, 0.0) + slack
        return np.array([gaps, violations, 0.5 * rr + value])
