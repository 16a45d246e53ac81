"""Frames of other libraries as polars frames: whole where that works, else column by column."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from importlib.util import find_spec
from numbers import Real
from typing import Any

import narwhals as nw
import polars as pl

from shrinkwise.tables.errors import InputError, first_line

from .names import refuse_duplicates


def from_other(table: Any) -> pl.DataFrame:
    """A frame of another library, a lazy one of polars, or a dict of columns as a polars frame with text names."""
    if isinstance(table, pl.LazyFrame):
        return _collected(table)
    if (
        not isinstance(table, Mapping)
        and not hasattr(table, "columns")
        and not hasattr(table, "__narwhals_dataframe__")
    ):
        raise InputError(
            f"Expected a data frame or the path of a table, got {type(table).__name__}; make a data frame of it, such as "
            "pandas.DataFrame(values, columns=names)."
        )
    names = [str(name) for name in (table if isinstance(table, Mapping) else getattr(table, "columns", []))]
    refuse_duplicates("The data frame", names)
    try:
        if isinstance(table, Mapping):
            frame = _of_columns({name: _of_values(str(name), values) for name, values in table.items()})
        else:
            frame = _from_eager(nw.from_native(table, eager_only=True))
    except InputError:
        raise
    except Exception as error:  # every kind of frame raises its own
        raise InputError(f"The data frame cannot be read: {first_line(error)}.") from error
    frame.columns = [str(name) for name in frame.columns]
    return frame


def _collected(table: pl.LazyFrame) -> pl.DataFrame:
    try:
        return table.collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"The lazy frame cannot be collected: {first_line(error)}.") from error


def _from_eager(eager: nw.DataFrame) -> pl.DataFrame:
    pandas = eager.to_native() if eager.implementation.is_pandas() else None
    # narwhals and polars ask for pyarrow to read pandas, and have no periods and sparse columns.
    if pandas is None or not (find_spec("pyarrow") is None or any(map(_is_own, pandas.dtypes))):
        try:
            return _whole(eager)
        except Exception:  # one column is the reason: the others are read
            if pandas is None:
                return _of_columns({name: _one_column(name, eager[name]) for name in eager.columns})
    return _of_columns({str(name): _pandas_column(str(name), column) for name, column in pandas.items()})


def _whole(eager: nw.DataFrame) -> pl.DataFrame:
    categories = [name for name, dtype in eager.schema.items() if dtype in (nw.Categorical, nw.Enum)]
    texts = [nw.col(name).cast(nw.String) for name in categories]  # else categories of numbers become numbers
    frame = eager.with_columns(*texts).to_polars()
    return frame.with_columns(*(frame[name].cast(pl.Categorical) for name in categories))


def _one_column(name: str, column: nw.Series) -> pl.Series:
    try:
        return _whole(column.to_frame()).to_series().alias(str(name))
    except Exception:
        return _of_values(str(name), column.to_list())


def _of_columns(columns: Mapping[str, pl.Series]) -> pl.DataFrame:
    heights = {len(column) for column in columns.values()}
    if len(heights) > 1:
        raise InputError(f"The columns of the table have different lengths: {sorted(heights)}.")
    return pl.DataFrame(list(columns.values()))


def _is_own(dtype: Any) -> bool:
    return hasattr(dtype, "freq") or hasattr(dtype, "fill_value")  # periods, sparse columns


def _pandas_column(name: str, column: Any) -> pl.Series:
    if hasattr(column.dtype, "fill_value"):
        column = column.astype(column.dtype.subtype)
    if hasattr(column.dtype, "freq"):
        column = column.dt.to_timestamp()
    dtype = column.dtype
    if getattr(dtype, "kind", "O") in "iufbMm" and type(dtype).__module__.startswith("numpy"):
        return pl.Series(name, column.to_numpy(), nan_to_null=True)
    is_category = hasattr(dtype, "categories")
    values = [
        None if missing else str(value) if is_category else value
        for value, missing in zip(column.tolist(), column.isna().tolist(), strict=True)
    ]
    return pl.Series(name, values).cast(pl.Categorical) if is_category else _of_values(name, values)


def _of_values(name: str, values: Any) -> pl.Series:
    """Values of one type, or of several: numbers among texts become text, as in a file; anything else stays an object."""
    try:
        return pl.Series(name, values, nan_to_null=True)
    except Exception:  # of polars, numpy or the values themselves
        values = [None if isinstance(value, Real | Decimal) and value != value else value for value in values]
    if all(value is None or isinstance(value, str | Real | Decimal) for value in values):
        return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)
    return pl.Series(name, values, dtype=pl.Object)
