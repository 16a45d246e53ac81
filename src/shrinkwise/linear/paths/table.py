"""A path as a data frame."""

from __future__ import annotations

from typing import Any

import numpy as np

from .columns import labels_of
from .path import Path


def to_frame(path: Path, backend: str = "polars"):
    """One row for each λ (and for each class or target), one column for each input.

    The first columns are lambda, output (for several classes or targets: its number), n_nonzero, deviance_explained (where
    the path has its data), gap, solved and intercept; then the coefficient of every input by its name, x0, x1, … where the
    columns have none. An input with the name of one of the first columns gets an underscore behind it.

    Parameters
    ----------
    backend : "polars", "pandas" or "pyarrow".

    Returns
    -------
    A data frame of that library.

    >>> import numpy as np, shrinkwise as sw
    >>> X, y = np.array([[-1.0], [0.0], [1.0]]), np.array([-2.0, 0.0, 2.0])
    >>> frame = to_frame(sw.path(X, y, sw.L1(1.0), lambdas=[4 / 3, 1 / 3]))
    >>> [round(w, 6) for w in frame["x0"]]      # (x'y/n − λ) / (x'x/n)
    [0.0, 1.5]
    """
    import narwhals as nw

    path = path.path
    outputs = path.coefs.reshape(len(path), -1, path.coefs.shape[-1])
    each = outputs.shape[1]

    def repeated(values):
        return np.repeat(np.asarray(values), each)

    columns = {"lambda": repeated(path.lambdas)}
    if path.coefs.ndim == 3:
        columns["output"] = np.tile(np.arange(each), len(path))
    columns["n_nonzero"] = repeated(path.n_nonzero)
    if path.problem is not None:
        columns["deviance_explained"] = repeated(path.deviance_explained)
    columns |= {"gap": repeated(path.gaps), "solved": repeated(path.solved), "intercept": path.intercepts.reshape(-1)}
    weights = outputs.reshape(-1, outputs.shape[-1])
    for j, label in enumerate(labels_of(path.column_names, weights.shape[1])):
        columns[_free(label, columns)] = np.ascontiguousarray(weights[:, j])
    return nw.from_dict(columns, backend=_known(backend)).to_native()


def _free(label: str, taken) -> str:
    while label in taken:
        label += "_"
    return label


def _known(backend: str) -> Any:
    if backend not in ("polars", "pandas", "pyarrow"):
        raise ValueError(f'Expected backend to be "polars", "pandas" or "pyarrow", got {backend!r}')
    return backend
