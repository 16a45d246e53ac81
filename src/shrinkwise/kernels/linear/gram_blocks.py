"""Block coordinate descent in Gram space: the group lasso, sparse or not, with an L2 part."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from shrinkwise.kernels.interrupt import in_parts
from shrinkwise.kernels.library import F64, declare, loaded_library, register, run

_EPS = np.finfo(float).eps
declare(
    "sw_gram_blocks",
    ctypes.c_int64,
    *(*[ctypes.c_int64] * 4, *[ctypes.c_void_p] * 8),
    *(F64, F64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_double, ctypes.c_int64),
)


@dataclass(frozen=True)
class GroupQuadratic:
    """½w'Gw − c'w + Σ_g t_g‖w_g‖ + Σ l_j|w_j| + ½Σ b_j w_j², all but c; group g is the slice starts[g]:starts[g+1].

    G : (p, p) symmetric positive semidefinite, float64 or float32, its rows contiguous; sums are in double precision.
    starts : (n_groups + 1,) int64, from 0 to p, increasing.
    thresholds, l1, ridge : t (n_groups,), l and b (p,), all ≥ 0; t, l > 0 is a sparse group, t = l = 0 a free one.
    """

    G: np.ndarray
    starts: np.ndarray
    thresholds: np.ndarray
    l1: np.ndarray
    ridge: np.ndarray

    @cached_property
    def sizes(self):
        """Entries of each group."""
        return np.diff(self.starts)

    @cached_property
    def labels(self):
        """The group of each entry."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @cached_property
    def eigen(self):
        """(offsets, Qt, D): G_gg + diag(b_g) = Qt' diag(D) Qt, group after group; eigenvalues of rounding size are 0."""
        offsets = np.concatenate([[0], np.cumsum(self.sizes**2)])
        blocks = diagonal_blocks(self.sizes, lambda at: self.G[at[:, :, None], at[:, None, :]])
        return offsets, *eigen(blocks, self.sizes, self.ridge)

    @cached_property
    def described(self):
        """(arguments of the kernel that describe it and its scratch, the arrays that these point to); made once, for many
        short calls.
        """
        offsets, Qt, D = self.eigen
        parts = (self.starts, offsets, self.thresholds, self.l1, self.ridge, Qt, D)
        kinds = (np.int64, np.int64, *[np.float64] * 5)
        arrays = [self.G, *(np.ascontiguousarray(x, kind) for x, kind in zip(parts, kinds, strict=True))]
        scratch = np.empty(4 * int(self.sizes.max(initial=1))), np.empty(len(self.sizes), np.int64)
        if self.G.dtype not in (np.float32, np.float64) or self.G.strides[1] != self.G.itemsize:
            raise ValueError("Expected G in single or double precision with contiguous rows")
        shape = len(self.ridge), len(self.sizes), self.G.strides[0] // self.G.itemsize, int(self.G.dtype == np.float32)
        quadratic = *shape, *(x.ctypes.data for x in arrays)
        return quadratic, tuple(x.ctypes.data for x in scratch), (arrays, scratch)

    def __getstate__(self):
        return {
            name: part for name, part in self.__dict__.items() if name != "described"
        }  # addresses are of this process

    def with_strengths(self, thresholds, l1, ridge) -> GroupQuadratic:
        """The same with other strengths; the eigenvectors stay where b does."""
        other = replace(self, thresholds=thresholds, l1=l1, ridge=ridge)
        if np.array_equal(ridge, self.ridge):
            other.__dict__["eigen"] = self.eigen
        return other

    def violation(self, w, r):
        """(n_groups,) distance of −∇ (smooth part) from the subdifferential of the penalty, r = c − Gw."""
        if not len(self.sizes):
            return np.zeros(0)
        norms = np.sqrt(np.add.reduceat(w * w, self.starts[:-1]))
        outside = norms > 0
        unit = w / np.where(outside, norms, 1.0)[self.labels]
        pull = r - self.ridge * w - self.thresholds[self.labels] * unit
        left = np.where(w != 0, pull - self.l1 * np.sign(w), pull - np.clip(pull, -self.l1, self.l1))
        distance = np.sqrt(np.add.reduceat(left * left, self.starts[:-1]))
        return np.where(outside, distance, np.maximum(distance - self.thresholds, 0.0))


def diagonal_blocks(sizes, products):
    """The blocks of a Gram matrix on its diagonal, flat, group after group; products(at) gives those of groups of one size,
    whose columns are at[k].
    """
    starts, offsets = np.cumsum(sizes) - sizes, np.cumsum(sizes**2) - sizes**2
    blocks = np.empty(int(np.sum(sizes**2)))
    for m in np.unique(sizes):
        which = np.flatnonzero(sizes == m)
        at = starts[which, None] + np.arange(m)
        blocks[offsets[which, None] + np.arange(m * m)] = products(at).reshape(len(which), m * m)
    return blocks


def eigen(blocks, sizes, ridge):
    """(Qt, D) of the blocks of `diagonal_blocks` + diag(ridge): Qt' diag(D) Qt each; eigenvalues of rounding size are 0."""
    starts, offsets = np.cumsum(sizes) - sizes, np.cumsum(sizes**2) - sizes**2
    Qt, D = np.empty(len(blocks)), np.empty(len(ridge))
    for m in np.unique(sizes):
        which = np.flatnonzero(sizes == m)
        at, flat = starts[which, None] + np.arange(m), offsets[which, None] + np.arange(m * m)
        each = blocks[flat].reshape(-1, m, m)
        each[:, np.arange(m), np.arange(m)] += ridge[at]
        values, vectors = np.linalg.eigh(each)
        D[at] = np.where(values > m * _EPS * values[:, -1:], values, 0.0)
        Qt[flat] = vectors.swapaxes(1, 2).reshape(len(which), m * m)
    return Qt, D


def _compiled(quadratic, w, r, tol, max_sweeps):
    described, scratch, _ = quadratic.described
    return loaded_library().sw_gram_blocks(*described, w, r, *scratch, tol, max_sweeps)


def reference(quadratic: GroupQuadratic, w, r, tol: float, max_sweeps: int) -> int:
    """Cyclic block coordinate descent on a `GroupQuadratic`, in place; a group is minimised exactly when visited.

    Parameters
    ----------
    quadratic : GroupQuadratic
    w : (p,) start in, solution out.
    r : (p,) c − Gw, kept up to date.
    tol : groups with a KKT violation (Euclidean norm, units of the gradient) ≤ tol are left as they are; converged when a
        full sweep moves none, so that tol bounds every violation at the w returned.
    max_sweeps : most sweeps, full or over the non-zero groups.

    Returns the number of sweeps, full or not, negative if not converged.

    Reference: Qin, Scheinberg, Goldfarb, Efficient block-coordinate descent algorithms for the group lasso, Math. Prog.
    Comp. 2013, doi:10.1007/s12532-013-0051-x.
    """
    left = max_sweeps
    everything = range(len(quadratic.sizes))
    while left > 0:
        left -= 1
        if not any([_visit(quadratic, g, w, r, tol) for g in everything]):
            return max_sweeps - left
        active = [g for g in everything if w[quadratic.starts[g] : quadratic.starts[g + 1]].any()]
        while left > 0:
            left -= 1
            if not any([_visit(quadratic, g, w, r, tol) for g in active]):
                break
    return -max_sweeps


def _visit(q: GroupQuadratic, g: int, w, r, tol) -> bool:
    """Whether the group violated more than tol; then it is at its minimiser now."""
    at = slice(q.starts[g], q.starts[g + 1])
    alone = GroupQuadratic(
        q.G[at, at], np.array([0, at.stop - at.start]), q.thresholds[g : g + 1], q.l1[at], q.ridge[at]
    )
    u = minimiser(alone, w[at], r[at], tol)
    if u is None:
        return False
    r -= q.G[:, at] @ (u - w[at])
    w[at] = u
    return True


def minimiser(alone: GroupQuadratic, w, r, tol):
    """Where the objective of a single group is least, r its negative gradient at w; None where it violates no more than tol."""
    violated = alone.violation(w, r)[0]
    if not violated > tol:
        return None
    v, t, l1 = r + alone.G @ w, alone.thresholds[0], alone.l1
    _, Qt, D = alone.eigen
    if np.linalg.norm(v - np.clip(v, -l1, l1)) <= t:
        return np.zeros(len(v))
    if not D[-1] > 0:
        return None
    if l1.any():
        return _minimise_sparse(alone, D[-1], v, w, 0.1 * violated if 0.1 * violated > tol else 0.3 * tol)
    return _minimise_smooth(Qt.reshape(len(v), len(v)), D, t, v, w)


def _minimise_smooth(Qt, D, t, v, w):
    z = Qt @ v
    if t == 0:
        return Qt.T @ np.where(D > 0, z / np.where(D > 0, D, 1.0), Qt @ w)
    if D[0] == D[-1]:
        rho = (np.linalg.norm(z) - t) / D[0]
    else:
        rho = np.linalg.norm(w)
        for _ in range(100):
            q = z / (D * rho + t)
            phi, slope = q @ q, q @ (q * D / (D * rho + t))
            last, rho = rho, max(rho + phi * (np.sqrt(phi) - 1.0) / slope, 0.0)
            if abs(rho - last) <= 2 * _EPS * rho:
                break
    return Qt.T @ (z * rho / (D * rho + t)) if np.isfinite(rho) else w


def _minimise_sparse(alone: GroupQuadratic, top, v, w, goal):
    step, H = 1.0 / top, alone.G + np.diag(alone.ridge)
    u, y, momentum = w, w, 1.0
    for _ in range(1000):
        point = y + step * (v - H @ y)
        point = point - np.clip(point, -step * alone.l1, step * alone.l1)
        size = np.linalg.norm(point)
        new = point * max(1.0 - step * alone.thresholds[0] / size, 0.0) if size > 0 else point
        faster = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * momentum * momentum))
        uphill = (y - new) @ (new - u) > 0
        moved = np.linalg.norm(new - y)
        y = new if uphill else new + (momentum - 1.0) / faster * (new - u)
        u, momentum = new, 1.0 if uphill else faster
        if not 2.0 * moved * top > goal:
            break
    return u


register("gram_blocks", reference, _compiled)


def gram_blocks(quadratic: GroupQuadratic, w, r, tol: float, max_sweeps: int) -> int:
    """Block coordinate descent on a `GroupQuadratic`, in place in w and r = c − Gw; see `gram_blocks.reference`."""
    return in_parts(lambda sweeps: run("gram_blocks", quadratic, w, r, tol, sweeps), max_sweeps, len(w) ** 2)
