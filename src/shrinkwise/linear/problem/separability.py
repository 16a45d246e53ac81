"""Whether logistic regression without a penalty has a finite optimum."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog


def is_separable(X, y, *, fit_intercept: bool = True) -> bool:
    """True when some linear rule separates the classes (also if only in part), so that no finite optimum exists.

    With two classes and z_i = ±(x_i, 1): is there v with z_i'v ≥ 0 for all i and > 0 for some? The linear program
    max Σ z_i'v, 0 ≤ z_i'v ≤ 1, answers it. For several classes the rule is one v per class and z runs over the pairs
    (own class, other class).

    Parameters
    ----------
    X : (n, p);  y : (n,) class labels.

    Reference: Albert and Anderson, On the existence of maximum likelihood estimates in logistic regression models,
    Biometrika 1984.
    """
    X = np.asarray(X, dtype=float)
    scale = np.abs(X).max(0, initial=0.0)
    X = X / np.where(scale > 0, scale, 1.0)  # separability does not depend on the units; the solver's tolerances do
    if fit_intercept:
        X = np.column_stack([X, np.ones(len(X))])
    classes, codes = np.unique(y, return_inverse=True)
    K, (n, p) = len(classes), X.shape
    if K < 2:
        return True
    if K == 2:
        Z = np.where(codes == 1, 1.0, -1.0)[:, None] * X
    else:
        blocks = []
        for k in range(1, K):
            other = (codes + k) % K
            Z = np.zeros((n, K, p))
            Z[np.arange(n), codes] = X
            Z[np.arange(n), other] = -X
            blocks.append(Z.reshape(n, K * p))
        Z = np.concatenate(blocks)
    # Dual-free form: v free, margins m = Zv in [0, 1]; the optimum is 0 exactly when only v with Zv = 0 has all margins ≥ 0.
    m = len(Z)
    found = linprog(
        -Z.sum(0), A_ub=np.vstack([-Z, Z]), b_ub=np.concatenate([np.zeros(m), np.ones(m)]), bounds=(None, None)
    )
    return bool(found.status == 3 or (found.status == 0 and -found.fun > 1e-6))
