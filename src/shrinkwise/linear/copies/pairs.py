"""Products of pairs of columns that are used only together with both of their columns."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from shrinkwise.linear.problem.design import is_sparse
from shrinkwise.linear.problem.scaling import column_scale
from shrinkwise.penalties import GroupLasso, Groups, Penalty

from .overlapping import column_number, summed

_MOST_BYTES = 2_000_000_000


class Pairs:
    """Main effects and products of standardised columns u_j = (x_j − x̄_j)/σ_j, z_jk = the standardised u_j u_k:

        η = b + Σ_j β_j u_j + Σ_{j<k} (α_jk u_j + α_kj u_k + θ_jk z_jk)
        f = Σ_j |β_j| + Σ_{j<k} √3 ‖(α_jk, α_kj, θ_jk)‖₂

    A group lasso on copies of the columns: a product enters with its two columns, so that θ_jk ≠ 0 only where the weights of
    x_j and x_k are not 0 (unless they cancel).

    Reference: Lim and Hastie, Learning interactions via hierarchical group-lasso regularization, JCGS 2015.

    Parameters
    ----------
    X : (n, p), dense.
    weight : (n,) weights of the rows, or None.
    which : True for all pairs, or a list of pairs of column numbers or names.
    names : the names of the columns, or None.
    """

    def __init__(self, X, weight, which, names):
        if is_sparse(X):
            raise ValueError(
                "Interactions do not support sparse input: products of centred columns are dense; use X.toarray()"
            )
        self.pairs = _checked_pairs(which, X.shape, names)
        self.center = np.average(X, axis=0, weights=weight)
        self.scale = column_scale(X, weight)
        self._left, self._right = np.array(self.pairs, dtype=int).T
        products = self._products(X)
        self._product_center = np.average(products, axis=0, weights=weight)
        self._product_scale = column_scale(products, weight)

    def _products(self, X):
        u = (X - self.center) / self.scale
        return u[:, self._left] * u[:, self._right]

    def columns(self, X):
        """(n, p + 3 q): the columns, then for each of q pairs both columns and their product, all standardised."""
        u = (X - self.center) / self.scale
        products = (self._products(X) - self._product_center) / self._product_scale
        groups = np.stack([u[:, self._left], u[:, self._right], products], axis=2)
        return np.hstack([u, groups.reshape(len(u), -1)])

    def names(self, labels: list[str]) -> list[str]:
        """A name for each of `columns`."""
        named = list(labels)
        for j, k in self.pairs:
            product = f"{labels[j]} × {labels[k]}"
            named += [f"{labels[j]} ({product})", f"{labels[k]} ({product})", product]
        return named

    def penalty(self, penalty: Penalty, outputs: tuple = ()) -> Penalty:
        """The group lasso on `columns` that an L1 penalty on the weights asks for; ValueError for another penalty.

        A group is common to all `outputs`, (K,) for K targets or classes.
        """
        parts = penalty.with_lam(1.0).l1_l2((len(self.center),))
        if parts is None or not (parts[0] == 1.0).all() or parts[1].any():
            raise ValueError(f"Expected an L1 penalty together with interactions, got {penalty!r}")
        p = len(self.center)
        labels = np.append(np.arange(p), np.repeat(p + np.arange(len(self.pairs)), 3))
        return GroupLasso(penalty.lam, Groups(np.broadcast_to(labels, (*outputs, len(labels))).copy()))

    def folded(self, coef, intercept):
        """(w (…, p), b, θ (…, q)) of weights of `columns`: η = b + x'w + Σ θ_jk (x_j − x̄_j)(x_k − x̄_k)."""
        p = len(self.center)
        groups = coef[..., p:].reshape(*coef.shape[:-1], -1, 3)
        w = coef[..., :p] + summed(groups[..., 0], self._left, p) + summed(groups[..., 1], self._right, p)
        w = w / self.scale
        theta = groups[..., 2] / self._product_scale
        b = intercept - w @ self.center - theta @ self._product_center
        return w, b, theta / (self.scale[self._left] * self.scale[self._right])

    def used(self, theta, labels: list[str]) -> dict:
        """{(column, column): θ, a number or (K,)} of the products with θ ≠ 0."""
        products = ((labels[j], labels[k], t) for (j, k), t in zip(self.pairs, theta.T, strict=True) if t.any())
        return {(left, right): t if t.ndim else float(t) for left, right, t in products}

    def terms(self, X, theta):
        """Σ θ_jk (x_j − x̄_j)(x_k − x̄_k) of rows, (n,) or (n, K)."""
        used = np.flatnonzero(theta.reshape(-1, theta.shape[-1]).any(0))
        d = X - self.center
        return (d[:, self._left[used]] * d[:, self._right[used]]) @ theta[..., used].T


def _checked_pairs(which, shape, names) -> list[tuple[int, int]]:
    n, p = shape
    if which is True:
        _check_memory(n, p, p * (p - 1) // 2)
        pairs = list(combinations(range(p), 2))
    elif isinstance(which, (str, bool)) or not hasattr(which, "__iter__"):
        raise ValueError(f"Expected interactions to be None, True or a list of pairs of columns, got {which!r}")
    else:
        labels = None if names is None else [str(name) for name in names]
        pairs = sorted({_checked_pair(pair, p, labels) for pair in which})
        _check_memory(n, p, len(pairs))
    if not pairs:
        raise ValueError(f"Expected at least one pair of columns, got none with {p} feature(s) in X")
    return pairs


def _checked_pair(pair, p: int, labels) -> tuple[int, int]:
    if isinstance(pair, str) or not hasattr(pair, "__len__") or len(pair) != 2:
        raise ValueError(f"Expected each interaction to be a pair of columns, got {pair!r}")
    j, k = sorted(column_number(column, labels, p) for column in pair)
    if j == k:
        raise ValueError(f"Expected two different columns in a pair, got {pair!r}")
    return j, k


def _check_memory(n: int, p: int, pairs: int) -> None:
    size = 8 * n * (p + 3 * pairs)
    if size > _MOST_BYTES:
        raise ValueError(
            f"The columns of {pairs} products take {size / 1e9:.1f} GB for {n} rows; list the pairs that are to be tried, as "
            "interactions=[(0, 1), …]"
        )
