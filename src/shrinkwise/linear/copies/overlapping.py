"""The latent group lasso: groups that share columns, on a copy of a column for each of its groups."""

from __future__ import annotations

import numpy as np

from shrinkwise.linear.paths.columns import check_columns
from shrinkwise.linear.problem.design import is_sparse
from shrinkwise.penalties import GroupLasso
from shrinkwise.penalties.groups import LabelledGroups


class OverlappingGroups:
    """Groups of columns that may share columns, for a group lasso on copies of them:

        λ Ω(w) = min { λ Σ_g c_g ‖v_g‖₂ :  Σ_g v_g = w,  v_g zero outside the group g },      c_g = √(size of g)

    A solution is zero except on a union of groups. Columns in no group are not penalised.

    Parameters
    ----------
    groups : list of lists of columns, or a dictionary {name: columns}
        Columns are numbers or, where `columns` are names, names.
    columns : int or list of str
        The number p of columns of X, or their names in order.

    Raises
    ------
    ValueError, TypeError : for groups without columns, unknown columns, or one that is twice in a group.

    References: Jacob, Obozinski, Vert, Group lasso with overlap and graph lasso, ICML 2009.

    >>> import numpy as np, shrinkwise as sw
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 5))
    >>> y = X[:, 1] + X[:, 2] - X[:, 3] + 0.1 * rng.normal(size=200)
    >>> groups = sw.linear.OverlappingGroups([[0, 1], [1, 2, 3], [3, 4]], 5)
    >>> model = sw.PenalizedRegressor(groups.penalty(0.01)).fit(groups.copies(X), y)
    >>> groups.coefficients(model.coef_).round(1)
    array([ 0.,  1.,  1., -1.,  0.])
    """

    def __init__(self, groups, columns):
        names = None if isinstance(columns, (int, np.integer)) else [str(name) for name in columns]
        self.p = int(columns) if names is None else len(names)
        self.column_names = names
        called = [str(name) for name in groups] if isinstance(groups, dict) else None
        blocks = [list(group) for group in (groups.values() if isinstance(groups, dict) else groups)]
        if not blocks or not all(blocks):
            raise ValueError("Expected at least one group, and at least one column in each, got an empty one")
        numbers = [[column_number(column, names, self.p) for column in block] for block in blocks]
        for block in numbers:
            twice = [column for column in block if block.count(column) > 1]
            if twice:
                raise ValueError(f"Expected each column once in a group, got column {twice[0]} twice in one")
        free = sorted(set(range(self.p)).difference(*numbers))
        self._columns = np.array([column for block in numbers for column in block] + free)
        labels = np.repeat([*range(len(numbers)), -1], [*map(len, numbers), len(free)])
        self._groups = LabelledGroups(labels, called)

    def copies(self, X):
        """X with a copy of a column for each of its groups, group by group, then the columns in no group."""
        check_columns(X, self.p, self.column_names)
        return (X.tocsc() if is_sparse(X) else np.asarray(X))[:, self._columns]

    def penalty(self, lam: float = 1.0, *, weights=None) -> GroupLasso:
        """λ Σ c_g ‖v_g‖ of the copies; `weights` are the c_g, in the order of the groups."""
        return GroupLasso(lam, self._groups, weights=weights)

    def coefficients(self, coef) -> np.ndarray:
        """The weights of the columns, (p,) or (K, p): the sums over their copies."""
        coef = np.asarray(coef)
        if coef.shape[-1:] != self._columns.shape:
            raise ValueError(f"Expected the weights of {len(self._columns)} copies, got shape {coef.shape}")
        return summed(coef, self._columns, self.p)


def summed(coef: np.ndarray, columns: np.ndarray, p: int) -> np.ndarray:
    """The sums over the copies of each of p columns, (…, p), of weights (…, m) of copies of `columns` (m,)."""
    total = np.zeros((p, *coef.shape[:-1]))
    np.add.at(total, columns, np.moveaxis(coef, -1, 0))
    return np.moveaxis(total, 0, -1)


def column_number(column, names: list | None, p: int) -> int:
    """The place of a column given by number or by name."""
    if isinstance(column, str) and names is not None:
        if column not in names:
            raise ValueError(f"There is no column {column!r}; the columns are {', '.join(map(repr, names[:5]))} …")
        return names.index(column)
    if isinstance(column, (bool, str)) or not isinstance(column, (int, np.integer)) or not 0 <= column < p:
        wanted = f"columns numbered 0 to {p - 1}" + ("" if names is None else ", or their names")
        raise ValueError(f"Expected {wanted}, got {column!r}")
    return int(column)
