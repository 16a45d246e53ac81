"""Coordinate descent in Gram space for concave separable penalties."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np

from shrinkwise.kernels.interrupt import in_parts
from shrinkwise.kernels.library import F64, I64, declare, loaded_library, register, run

declare(
    "sw_gram_scalar",
    ctypes.c_int64,
    *(ctypes.c_int64, F64, F64, F64, F64, F64),
    *(F64, F64, I64, ctypes.c_double, ctypes.c_int64),
)


@dataclass(frozen=True)
class Concave:
    """p(w) + ½ b w² of every entry: p'(x) = slope up to x = knee, falls linearly to 0 at x = flat, 0 beyond, x = |w|.

    SCAD; with knee = 0 MCP. All fields (p,), ≥ 0, knee ≤ flat < ∞; slope 0 = not penalised but for b = `ridge`.
    """

    slope: np.ndarray
    knee: np.ndarray
    flat: np.ndarray
    ridge: np.ndarray

    @property
    def arrays(self):
        """What the kernel reads beside the ridge."""
        return self.slope, self.knee, self.flat

    def at(self, columns) -> Concave:
        """The same for some of the entries."""
        return Concave(*(x[columns] for x in (*self.arrays, self.ridge)))

    def value(self, w):
        """p(|w|) + ½ b w² of every entry."""
        x, bend = np.abs(w), self.flat - self.knee
        falling = np.clip(x, self.knee, self.flat) - self.knee  # where p' = slope (1 − t/bend), t from the knee on
        risen = np.minimum(x, self.knee) + falling - 0.5 * falling**2 / np.where(bend > 0, bend, 1.0)
        return self.slope * risen + 0.5 * self.ridge * w * w

    def codes(self, w):
        """Which piece each entry is on: the sign times 1 (constant slope), 2 (falling) or 3 (flat); 4 where not penalised."""
        x = np.abs(w)
        return np.where(self.slope > 0, np.sign(w) * (1 + (x > self.knee) + (x > self.flat)), 4.0)

    def piece(self, codes):
        """(free, slope, curvature): p' = slope + curvature · w on these pieces; entries not free stay where they are."""
        sign, region = np.sign(codes), np.abs(codes)
        bend = np.where(region == 2, self.flat - self.knee, 1.0)
        slope = np.where(region == 2, self.slope * self.flat / bend, np.where(region == 1, self.slope, 0.0))
        return codes != 0, sign * slope, np.where(region == 2, -self.slope / bend, 0.0)

    def violation(self, w, r):
        """|r − b w − p'(|w|) sign(w)| where w ≠ 0, max(|r| − slope, 0) where w = 0: the distance from a stationary point."""
        _, slope, curvature = self.piece(self.codes(w))
        pulled = np.abs(r - self.ridge * w - slope - curvature * w)
        return np.where(w != 0, pulled, np.maximum(np.abs(r) - self.slope, 0.0))

    def minimiser(self, z, d, w):
        """argmin_u ½ d u² − z u + p(u), global; where d = 0: zero, or w where there is no slope."""
        s, x, bend = self.slope, np.abs(z), self.flat - self.knee
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            soft, free = np.maximum(x - s, 0.0) / d, x / d
            falling = (x - s * self.flat / bend) / (d - s / bend)
            convex = np.where(soft <= self.knee, soft, np.where(falling <= self.flat, falling, free))
            gain = x * free - np.maximum(x - s, 0.0) * soft
            steep = np.where(gain > s * (self.knee + self.flat), free, soft)
            steep = np.where(soft > self.knee, free, np.where(free < self.flat, soft, steep))
            u = np.where(s > 0, np.where(d * bend > s, convex, steep), free)
        return np.where(d > 0, np.copysign(u, z), np.where(s > 0, 0.0, w))


def _compiled(G, rule, w, r, tol, max_sweeps):
    order = np.empty(len(w), np.int64)
    return loaded_library().sw_gram_scalar(len(w), G, rule.ridge, *rule.arrays, w, r, order, tol, max_sweeps)


def reference(G, rule: Concave, w, r, tol: float, max_sweeps: int) -> int:
    """Cyclic coordinate descent: minimise ½w'Gw − c'w + Σ p_j(w_j) + ½Σ b_j w_j² with the p and b of `rule`, in place.

    Parameters
    ----------
    G : (p, p) symmetric positive semidefinite, C-contiguous.
    rule : Concave.
    w : (p,) start in, solution out.
    r : (p,) c − Gw, kept up to date.
    tol : stop when no coordinate of a full sweep moved its own gradient by more, max |step_j| (G_jj + b_j) ≤ tol.
    max_sweeps : most sweeps, full or over the non-zero coordinates.

    Returns the number of full sweeps, negative if not converged.

    Reference: Breheny and Huang, Coordinate descent algorithms for nonconvex penalized regression, Ann. Appl. Stat. 2011,
    doi:10.1214/10-AOAS388.
    """
    left, full = max_sweeps, 0
    while left > 0:
        left, full = left - 1, full + 1
        if not _sweep(range(len(w)), G, rule, w, r) > tol:
            return full
        active = np.flatnonzero(w)
        while left > 0:
            left -= 1
            if not _sweep(active, G, rule, w, r) > tol:
                break
    return -full


def _sweep(coordinates, G, rule, w, r) -> float:
    moved = 0.0
    for j in coordinates:
        d = G[j, j] + rule.ridge[j]
        step = float(rule.at(j).minimiser(r[j] + G[j, j] * w[j], d, w[j])) - w[j]
        if step != 0:
            w[j] += step
            r -= step * G[j]
            moved = max(moved, abs(step) * d)
    return moved


register("gram_scalar", reference, _compiled)


def gram_scalar(G, rule: Concave, w, r, tol: float, max_sweeps: int) -> int:
    """Coordinate descent with the penalty of `rule`, in place in w and r = c − Gw; see `gram_scalar.reference`."""
    return in_parts(lambda sweeps: run("gram_scalar", G, rule, w, r, tol, sweeps), max_sweeps, len(w) ** 2)
