"""What the residuals of a fit prove: that no direction separates the rows, or some of them."""

from __future__ import annotations

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh

from .rows import SMALLEST_MOVE, MovableRows

LARGEST = 2_000  # weights up to which a fit is a proof: it takes their Hessian
_FLAT = 1e-10  # of the curvature along a column: below it a direction moves nothing
_ROUNDS = 5
_AT_ONCE = 1_000_000  # entries of X ⊗ p at a time


def overlap(rows: MovableRows, eta, least: float = 0.0):
    """Mask (n, K) of the entries of η that no v with a_i'v ≥ 0 for all i moves, or None where that is not proved.

    It is proved of all entries with a residual above `least` together: their residuals are moved by Newton steps to q > 0
    with B'q = 0. Then a v with ‖v‖₁ = 1 has Σ q_i a_i'v ≤ max |B'q|, so that it moves none by more than max |B'q| / min q.
    """
    if rows.dim * rows.K > LARGEST:
        return None
    core, q, curvature = _residuals(rows, eta, least)
    bound = core & (rows.signs.reshape(rows.n, -1) != 0)
    if not bound.any():
        return None
    factor = None
    for _ in range(_ROUNDS):
        left, smallest = rows.back(q), np.abs(q[bound]).min()
        if np.abs(left).max() <= SMALLEST_MOVE * smallest:
            return core if smallest > 0 else None
        factor = _factor(curvature.gram(rows)) if factor is None else factor
        if factor is None:
            return None
        scale, cholesky = factor
        z = scale * cho_solve(cholesky, scale * left.T.ravel(), check_finite=False)
        step = curvature.times(rows.moves(z.reshape(rows.K, rows.dim).T))
        if not (np.abs(step) <= 0.5 * np.abs(q))[bound].all():
            return None
        q = q - step
    return None


def null_space(rows: MovableRows, core):
    """Orthonormal basis (K · dim, r), a class after the other, of the v that move no entry of `core`."""
    curvature = _Pairs(core) if rows.loss.per_class else _Matrices(core[:, :, None].astype(float))
    scale, G = _scaled(curvature.gram(rows))
    values, vectors = eigh(G, check_finite=False)
    scale = np.where(scale > 0, scale, 1.0)
    basis = scale[:, None] * vectors[:, values <= _FLAT * max(values[-1], 1.0)]
    return np.linalg.qr(basis)[0]


def _residuals(rows: MovableRows, eta, least: float):
    """(mask of the entries with a residual above `least`, their residuals, their curvature), of n rows and K outputs."""
    q = (rows.s * rows.loss.gradient(rows.y, eta).T).T.reshape(rows.n, -1)
    core = (np.abs(q) > least) | (rows.signs.reshape(rows.n, -1) == 0)
    whole = bool(core.all())
    q = q if whole else np.where(core, q, 0.0)
    if not whole and rows.loss.per_class:  # the moves of a row sum to 0
        q[np.arange(rows.n), rows.y] -= q.sum(1)
    if rows.loss.is_softmax:
        return core, q, _Softmax(rows.s, np.where(core, rows.loss.inverse_link(eta), 0.0))
    hessian = (rows.s * rows.loss.hessian(rows.y, eta).T).T.reshape(rows.n, rows.K, rows.K)
    if not whole:
        hessian = hessian * core[:, :, None] * core[:, None, :]
        if rows.loss.per_class:
            hessian[:, range(rows.K), range(rows.K)] -= hessian.sum(2)
    return core, q, _Matrices(hessian)


class _Matrices:
    """A matrix C_i for every row, (n, K, K)."""

    def __init__(self, matrices):
        self.matrices = matrices

    def gram(self, rows: MovableRows):
        """Σ_i B_i' C_i B_i, (K · dim, K · dim)."""
        K, dim = rows.K, rows.dim
        G = np.zeros((K, dim, K, dim))
        for part, B in rows.blocks():
            for k in range(K):
                for m in range(k + 1):
                    G[k, :, m] += B.T @ (B * self.matrices[part, k, m][:, None])
        for k in range(K):
            for m in range(k):
                G[m, :, k] = G[k, :, m].T
        return G.reshape(K * dim, K * dim)

    def times(self, moves):
        """C_i times the moves (n, K) of every row."""
        return np.einsum("ikl,il->ik", self.matrices, moves)


class _Pairs:
    """C_i = Σ (e_y − e_k)(e_y − e_k)' over the classes k of row i that are in the mask (n, K), y its own class."""

    def __init__(self, mask):
        self.mask = mask

    def gram(self, rows: MovableRows):
        """As `_Matrices.gram`: one product for each pair of classes, of the rows of the first, instead of K² for every row."""
        K, dim = rows.K, rows.dim
        G = np.zeros((K, dim, K, dim))
        for part, block in rows.blocks():
            for own in range(K):
                here = rows.y[part] == own
                B, mask = block[here], self.mask[part][here]
                for k in np.flatnonzero(mask.any(0)):
                    if k != own:
                        pair = B[mask[:, k]]
                        M = pair.T @ pair
                        for a, b in ((own, k), (k, own)):
                            G[a, :, a] += M
                            G[a, :, b] -= M
        return G.reshape(K * dim, K * dim)


class _Softmax:
    """C_i = s_i (σ_i diag(p_i) − p_i p_i'), σ_i the sum of the p_i (n, K) that are left: what they move sums to 0."""

    def __init__(self, s, p):
        self.s, self.p, self.total = s[:, None], p, p.sum(1, keepdims=True)

    def gram(self, rows: MovableRows):
        """As `_Matrices.gram`: between two classes one product of matrices, within a class without cancellation."""
        K, dim = rows.K, rows.dim
        G, own = np.zeros((K * dim, K * dim)), np.zeros((K, dim, dim))
        root, curvature = np.sqrt(self.s) * self.p, self.s * self.p * (self.total - self.p)
        step = max(64, _AT_ONCE // (K * dim))
        for part, block in rows.blocks():
            for start in range(0, len(block), step):
                B, first = block[start : start + step], part.start + start
                here = slice(first, first + len(B))
                Z = (root[here, :, None] * B[:, None]).reshape(len(B), K * dim)
                G -= Z.T @ Z
                for k in range(K):
                    own[k] += B.T @ (B * curvature[here, k, None])
        for k in range(K):
            G[k * dim : (k + 1) * dim, k * dim : (k + 1) * dim] = own[k]
        return G

    def times(self, moves):
        """As `_Matrices.times`."""
        return self.s * self.p * (self.total * moves - (self.p * moves).sum(1, keepdims=True))


def _scaled(G):
    """(scale, G with a unit diagonal); of what has no curvature the scale and the diagonal are 0."""
    diagonal = G.diagonal()
    scale = np.where(diagonal > 0, 1.0 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0)), 0.0)
    return scale, G * scale * scale[:, None]


def _factor(G):
    """(scale, Cholesky factor of the scaled G), or None where there is none."""
    scale, G = _scaled(G)
    G.flat[:: len(G) + 1] = 1.0 + 1e-12  # collinear columns, and a shift of all classes, have the curvature 0
    try:
        return scale, cho_factor(G, lower=True, check_finite=False)
    except LinAlgError:
        return None
