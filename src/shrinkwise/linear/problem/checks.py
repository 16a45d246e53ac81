"""Checks of data, losses, grids and settings, with error messages of one sentence. Without scikit-learn."""

from __future__ import annotations

import numbers
import warnings
from typing import Any

import numpy as np

from shrinkwise.linear.losses import loss_of
from shrinkwise.penalties import Penalty
from shrinkwise.penalties.array import as_float

from .design import is_sparse
from .problem import Problem
from .scaling import column_scale, divided

_SWITCHES = {"fit_intercept", "standardize", "positive", "stability", "copy_X", "warm_start"}
# Of scikit-learn's settings without effect here: a misspelt one is an error there.
_CHOICES = {
    "selection": ("cyclic", "random"),
    "precompute": ("auto",),
    "gcv_mode": ("auto", "svd", "eigen"),
    "solver": (
        *("auto", "svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga", "lbfgs"),  # of Ridge
        *("newton", "liblinear", "newton-cg", "newton-cholesky"),  # of logistic regression, besides three of these
    ),
    "class_weight": ("balanced",),
}
READS = {"accept_sparse": ("csr", "csc"), "dtype": [np.float64, np.float32]}  # for scikit-learn's validation


def problem_of(
    X, y, loss="squared", sample_weight=None, fit_intercept: bool = True, offset=None, standardize: bool = False
) -> Problem:
    """The Problem of checked data; `loss` is a name or a loss object, `standardize` divides columns by their deviations."""
    X = checked_X(X)
    loss = loss_of(loss)
    y = checked_y(y, X.shape[0], loss)
    weight = None if sample_weight is None else checked_weights(sample_weight, X.shape[0])
    if weight is not None and loss.coded and y.ndim == 1 and len(absent := np.setdiff1d(y, y[weight > 0])):
        raise ValueError(
            f"Expected a sample weight above 0 in every class, got only zeros in class {absent[0]:g}; drop it"
        )
    classes = (int(y.max()) + 1,) if loss.per_class else ()
    offset = checked_offset(offset, (*y.shape, *classes))
    scale = column_scale(X, weight) if standardize else None
    X = X if scale is None else divided(X, scale)
    return Problem(X, y, loss, weight, fit_intercept, offset, column_scale=scale)


def checked_X(X):
    """X (n, p) as float64, float32 or scipy sparse, finite."""
    if is_sparse(X):
        X = (
            X if X.format in ("csr", "csc") else X.tocsc()
        )  # the others (lil, dok, …) do not keep their entries in `data`
        entries = X.data
    else:
        X = entries = _numbers(X, "X")
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"Expected X of shape (n, p) with n ≥ 1 rows and p ≥ 1 columns, got shape {X.shape}")
    _refuse_missing(entries, "X")
    return X


def checked_y(y, n: int, loss):
    """y (n,) of the kind the loss takes; (n, K), K targets, for the squared loss."""
    refuse_other_numbers(y, "y")
    y = y if loss.is_partial else np.asarray(y)
    if loss.coded:
        return loss.checked(_codes(y, n, loss))
    if loss.is_partial:
        return _records(loss.checked(y), n)
    y = np.asarray(finite_numbers(y, "y"), dtype=float)
    if y.ndim == 2 and not loss.is_quadratic:
        raise ValueError(f"Expected y of shape (n,), got {y.shape}; only the squared loss takes several targets")
    if y.ndim not in (1, 2) or len(y) != n or 0 in y.shape:
        raise ValueError(f"Expected X of shape (n, p) and y of shape (n,), got {n} rows and y of shape {y.shape}")
    return loss.checked(y)


def _records(y, n: int):
    if len(y) != n:
        raise ValueError(f"Expected one time and event per row of X, got {n} rows and {len(y)} times")
    return y


def _codes(y, n: int, loss):
    shape = "(n,)" if loss.one_target is None else "(n, K)"
    if y.ndim != (1 if loss.one_target is None else 2) or len(y) != n:
        raise ValueError(f"Expected X of shape (n, p) and y of shape {shape}, got {n} rows and y of shape {y.shape}")
    if y.dtype.kind not in "biuf":
        raise ValueError(
            f"The {loss.name} loss expects class numbers, got labels of type {y.dtype}; "
            + ("use PenalizedClassifier" if loss.one_target is None else "write 0 and 1")
        )
    return finite_numbers(y, "y")


def checked_weights(sample_weight, n: int):
    """Sample weights (n,), finite, ≥ 0 and not all 0; a single number is repeated n times."""
    weights = finite_numbers(sample_weight, "sample_weight").astype(float)
    weights = np.full(n, float(weights)) if weights.ndim == 0 else weights
    if weights.shape != (n,):
        raise ValueError(f"Expected sample_weight of shape ({n},), one number per row, got {weights.shape}")
    if (weights < 0).any():
        raise ValueError(f"Expected sample weights ≥ 0, got {weights.min():g}")
    if not weights.any():
        raise ValueError("Expected at least one sample weight above 0, got all zeros")
    return weights


def checked_offset(offset, shape):
    """An offset of exactly the shape of the linear predictor, (n,) or (n, K), finite; None stays None."""
    if offset is None:
        return None
    offset = finite_numbers(offset, "offset").astype(float)
    if offset.shape != shape:
        raise ValueError(
            f"Expected offset like y, of shape {shape}, one number per linear predictor, got {offset.shape}"
        )
    return offset


def checked_grid(lambdas) -> np.ndarray:
    """The grid as a decreasing array; any other order is sorted with a warning."""
    lambdas = finite_numbers(lambdas, "lambdas").astype(float)
    if lambdas.ndim != 1 or len(lambdas) == 0:
        raise ValueError(f"Expected lambdas to be a decreasing list of numbers ≥ 0, got shape {lambdas.shape}")
    if (lambdas < 0).any():
        raise ValueError(f"Expected lambdas ≥ 0, got {lambdas.min():g}, which would reward large weights")
    if (np.diff(lambdas) > 0).any():
        warnings.warn("The lambdas were not in decreasing order and have been sorted", UserWarning, stacklevel=3)
        lambdas = np.sort(lambdas)[::-1].copy()
    return lambdas


def check_settings(penalty, tol, max_iter) -> None:
    """Raise an error unless penalty is a penalty, 0 ≤ tol < ∞ and max_iter ≥ 1."""
    if not isinstance(penalty, Penalty):
        raise TypeError(f"Expected a shrinkwise penalty such as shrinkwise.L1(0.1), got {type(penalty).__name__}")
    if isinstance(tol, bool) or not isinstance(tol, numbers.Real) or not 0 <= as_float(tol) < np.inf:
        raise ValueError(f"Expected tol (the relative duality gap to reach) to be a finite number ≥ 0, got {tol!r}")
    if isinstance(max_iter, bool) or not isinstance(max_iter, numbers.Integral) or max_iter < 1:
        raise ValueError(f"Expected max_iter to be an integer ≥ 1, got {max_iter!r}")


def check_switch(name: str, value) -> None:
    """Raise ValueError unless a switch is a bool, or 0 or 1."""
    if not (isinstance(value, (bool, np.bool_)) or (isinstance(value, numbers.Integral) and value in (0, 1))):
        raise ValueError(f"Expected {name} to be True or False, got {value!r}")


def check_switches(settings: dict) -> None:
    """ValueError for a switch among the settings that is no bool, as "no" would switch it on, and for an unknown choice."""
    for name in _SWITCHES & settings.keys():
        check_switch(name, settings[name])
    for name in _CHOICES.keys() & settings.keys():
        value = settings[name]
        if isinstance(value, str) and value not in _CHOICES[name]:
            raise ValueError(f"Expected {name} to be one of {', '.join(map(repr, _CHOICES[name]))}, got {value!r}")


def check_dfmax(dfmax) -> None:
    """Raise ValueError unless dfmax is None or an integer ≥ 0."""
    if dfmax is None:
        return
    if isinstance(dfmax, bool) or not isinstance(dfmax, numbers.Integral) or dfmax < 0:
        raise ValueError(f"Expected dfmax (the most non-zero inputs of a path) to be an integer ≥ 0, got {dfmax!r}")


def check_patience(patience) -> None:
    """Raise ValueError unless patience is None or an integer ≥ 1."""
    if patience is None:
        return
    if isinstance(patience, bool) or not isinstance(patience, numbers.Integral) or patience < 1:
        raise ValueError(f"Expected patience (a number of λ without a lower held-out loss) to be ≥ 1, got {patience!r}")


def finite_numbers(values, name: str) -> np.ndarray:
    """`values` as an array of finite numbers."""
    array = _numbers(values, name)
    _refuse_missing(array, name)
    return array


def _numbers(values, name: str) -> np.ndarray:
    refuse_other_numbers(values, name)
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Expected {name} to contain numbers: {error}") from error
    if array is not values:
        refuse_other_numbers(array, name)
    try:
        if array.dtype not in (np.float64, np.float32):
            array = array.astype(float)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"Expected {name} to contain numbers: {error}") from error
    return array


def refuse_other_numbers(values, name: str) -> None:
    """ValueError for complex numbers, times and masked entries, which NumPy would turn into real numbers without a warning."""
    if np.ma.is_masked(values):
        raise ValueError(f"Expected {name} without masked entries; fill them or drop these rows")
    dtypes: Any = getattr(values, "dtypes", getattr(values, "dtype", None))
    kinds = {_kind(each) for each in (dtypes if hasattr(dtypes, "__iter__") else [dtypes])}
    what = {"c": "complex ones (Complex data not supported)", "m": "durations", "M": "dates"}  # scikit-learn's words
    found = next((what[kind] for kind in "cmM" if kind in kinds), None)
    if found:
        raise ValueError(f"Expected {name} to contain real numbers, got {found}; convert them to numbers first")


def _kind(dtype) -> str:
    """NumPy's letter; a dtype of polars says itself whether it is a time."""
    temporal = getattr(dtype, "is_temporal", None)
    return getattr(dtype, "kind", "M" if temporal is not None and temporal() else "")


def _refuse_missing(array, name: str) -> None:
    # The sum is finite wherever all entries are (unless it overflows): one pass without a mask.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(array.sum()) or np.isfinite(array).all():
            return
    what = "NaN" if np.isnan(array).any() else "infinite"
    raise ValueError(f"Expected finite numbers in {name}, got {what} entries; impute them or drop these rows")
