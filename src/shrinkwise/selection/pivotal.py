"""λ of the square-root lasso from the numbers of rows and columns alone."""

from __future__ import annotations

import math
import numbers
from statistics import NormalDist


def pivotal_lambda(n: int, p: int, *, alpha: float = 0.05, c: float = 1.1) -> float:
    """λ = c Φ⁻¹(1 − α/(2p)) / √n of the square-root lasso, for which the noise level need not be known.

    With normal errors and columns of mean square 1 (``standardize=True``) λ/c exceeds every |x_j'ε|/(n σ̂(ε)), σ̂² = ε'ε/n, with
    probability about 1 − α or more (n large beside log p): then inputs without effect get no weight through noise alone. For
    cross-validated predictions it is usually too large.

    Parameters
    ----------
    n, p : numbers of rows and of penalised columns, ≥ 1.
    alpha : in (0, 1), the probability that the noise exceeds λ/c.
    c : ≥ 1, a margin; Belloni et al. use 1.1.

    Raises
    ------
    ValueError : for settings out of range.

    Reference: Belloni, Chernozhukov, Wang, Square-root lasso: pivotal recovery of sparse signals via conic programming,
    Biometrika 2011, arXiv 1009.5689.

    >>> from shrinkwise.linear import pivotal_lambda
    >>> round(pivotal_lambda(100, 1, alpha=0.05, c=1.0), 4)     # Φ⁻¹(0.975)/10
    0.196
    """
    for name, value in (("n (the number of rows)", n), ("p (the number of columns)", p)):
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
            raise ValueError(f"Expected {name} to be an integer ≥ 1, got {value!r}")
    if not (isinstance(alpha, numbers.Real) and 0 < alpha < 1):
        raise ValueError(f"Expected alpha (a probability) strictly between 0 and 1, got {alpha!r}")
    if not (isinstance(c, numbers.Real) and 1 <= c < math.inf):
        raise ValueError(f"Expected c (a margin) to be a finite number ≥ 1, got {c!r}")
    return c * -NormalDist().inv_cdf(alpha / (2 * p)) / math.sqrt(n)
