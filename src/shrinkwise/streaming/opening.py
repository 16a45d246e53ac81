"""`shrinkwise.rows`: a source of any kind as rows in blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .blocks import RowBlocks, RowsError
from .sparse import SparseRows, sparse_rows


def rows(
    source,
    target: Any = None,
    *,
    weight: Any = None,
    group: Any = None,
    database: Any = None,
    scheduler: Any = None,
) -> RowBlocks | SparseRows:
    """Rows in blocks, for data that do not fit into memory; accepted in the place of ``X, y`` by `path` and the estimators.

    Parameters
    ----------
    source : one of
        * a Parquet, CSV or Arrow/Feather file, a folder of them, a pattern such as ``"data/*.parquet"``, or a list of files
          with the same columns, read in the order of their names with polars;
        * a polars LazyFrame, or a data frame of any library that narwhals knows;
        * a list of frames, a function that returns an iterator of frames, or an iterator of frames, which can be read once;
        * an array (n, p) such as `numpy.memmap`, whose columns are called x0, x1, …;
        * a SQL query, with `database`; add ORDER BY, because folds depend on the order of the rows;
        * a Dask data frame or array;
        * sparse blocks: a list of ``(X, y)`` or ``(X, y, weights)`` with X scipy sparse, or a function that returns an
          iterator of them, the same ones whenever it is called. They stay sparse, and take no other argument.
    target : name of the column to predict. For an array also an array (n,), or the number of a column.
    weight : name of a column of sample weights ≥ 0, or as for `target`.
    group : name of a column; rows of one group are in the same fold of a cross-validation.
    database : ``sqlite:///file.db``, a URL that SQLAlchemy reads (PostgreSQL and others), or an open connection.
    scheduler : address of a Dask scheduler (``"tcp://host:8786"``) or a `dask.distributed.Client`; the parts of the source
        are then read on its workers.

    Returns
    -------
    RowBlocks, or SparseRows for sparse blocks

    Raises
    ------
    RowsError : for files that cannot be read or do not have the same columns, or a column that is not there.

    Notes
    -----
    The number of a row is its place in the source, and its fold in a cross-validation is a hash of that number (or of its
    group): folds do not depend on the sizes of files and blocks, on threads or on machines.

    Examples
    --------
    >>> import numpy as np, shrinkwise as sw
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> data = sw.rows(X, target=2.0 * X[:, 0])
    >>> [(block.first, len(block)) for block in data.blocks()]
    [(0, 4)]
    >>> sw.path(data, penalty=sw.L2(0.0), lambdas=[0.0]).coefs.round(6).tolist()
    [[2.0]]
    """
    sparse = sparse_rows(source)
    if sparse is not None:
        _refuse(target=target, weight=weight, group=group, database=database, scheduler=scheduler)
        return sparse
    special = {"target": target, "weight": weight, "group": group}
    parts, schema, once = _opened(source, special, database)
    names: dict[str, Any] = {
        role: role if hasattr(value, "shape") else value for role, value in special.items() if value is not None
    }
    for role, name in names.items():
        if name not in schema:
            shown = ", ".join(map(repr, list(schema)[:5])) + (", …" if len(schema) > 5 else "")
            raise RowsError(f"Expected {role} to be a column of the source, got {name!r}; it has {shown}")
    if len(set(names.values())) < len(names):
        raise RowsError("Expected target, weight and group to be different columns, got the same name twice")
    kept = (names.get("target"), names.get("weight"), names.get("group"))
    return RowBlocks(parts, schema, *kept, one_pass=once, named=not isinstance(source, np.ndarray), scheduler=scheduler)


def _refuse(**given) -> None:
    for name, value in given.items():
        if value is not None:
            raise RowsError(
                f"Expected {name}=None beside sparse blocks, which are (X, y) or (X, y, weights) and are read on this machine, "
                f"got {type(value).__name__}"
            )


def _opened(source, special: dict, database) -> tuple[list, Mapping[str, Any], bool]:
    """(parts, schema, whether it can be read only once) of a source."""
    if database is not None:
        from .sources.queries import open_query

        return open_query(source, database)
    if isinstance(source, (str, Path)) or _are_paths(source):
        from .sources.files import open_files

        kept = [value for value in special.values() if isinstance(value, str)]
        return open_files(source, kept)
    if hasattr(source, "__dask_graph__"):
        from .sources.dask_collections import open_collection

        return open_collection(source, special)
    from .sources.frames import open_array, open_frame, open_frames, open_lazy

    if hasattr(source, "collect_batches"):
        return open_lazy(source)
    if isinstance(source, np.ndarray):
        return open_array(source, special)
    if hasattr(source, "nnz"):
        raise RowsError(
            "A sparse matrix is in memory already: pass X and y to the estimator, which keeps X sparse; for blocks pass a list "
            "of (X, y), or a function that returns an iterator of them"
        )
    if callable(source) or isinstance(source, (list, tuple)) or _is_iterator(source):
        return open_frames(source)
    return open_frame(source)


def _are_paths(source) -> bool:
    return isinstance(source, (list, tuple)) and bool(source) and all(isinstance(each, (str, Path)) for each in source)


def _is_iterator(source) -> bool:
    return isinstance(source, Iterable) and isinstance(getattr(source, "__next__", None), Callable)  # type: ignore[arg-type]
