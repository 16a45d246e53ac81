"""Whether a loss without a penalty has a finite minimum, and if not, the rows and columns that prevent it.

The negative log-likelihood has no finite minimum if there is a direction v of the unpenalised weights along which the
loss of no row increases and that of some row decreases without end: two classes that a linear rule separates
(completely, or only some of their rows: quasi-complete separation), or counts that are all 0 in some cell. With B the
columns of X and the intercept, and a_i the row ±B_i of every row that may move to one side only,

    no finite minimum  ⇔  there is v with a_i'v ≥ 0 for all i, > 0 for some, and B_i v = 0 for rows that may not move,
    a finite minimum   ⇔  there are q_i > 0 for all i (and any r_i for rows that may not move) with Σ q_i a_i + Σ r_i B_i = 0.

A fit can prove either: its residuals are such q if it converged, its weights such v if it makes no error. Otherwise
a linear program decides, on the rows that the fit leaves open and in the directions that move no other row. Weights that
may only rise or only fall (bounds, weights on the flat part of a nonconvex penalty) restrict v.

References: Albert and Anderson, On the existence of maximum likelihood estimates in logistic regression models, Biometrika
1984. Correia, Guimarães, Zylkin, Verifying the existence of maximum likelihood estimates for generalized linear models, arXiv
1903.01633. Konis, Linear programming algorithms for detecting separated data in binary logistic regression models, Oxford 2007.
"""

from .find import find_separation, is_separable, separation_of
from .result import Separation

__all__ = ["Separation", "find_separation", "is_separable", "separation_of"]
