"""Times until an event or until censoring, as one record a row."""

from __future__ import annotations

import numpy as np

DTYPE = np.dtype([("time", float), ("event", bool), ("stratum", int)])


def survival(time, event=None, strata=None) -> np.ndarray:
    """The target of the "cox" loss, (n,) records (time, event, stratum).

    Parameters
    ----------
    time : (n,) finite numbers; only their order counts.
    event : (n,) of bool or 0/1, whether the event was observed at `time`, or else the row was censored there. None: all were.
    strata : (n,) labels, optional. Every stratum has its own baseline hazard.

    >>> survival([3.0, 5.0], event=[1, 0])["event"].tolist()
    [True, False]
    """
    time = _numbers(time, "time")
    y = np.zeros(len(time), DTYPE)
    y["time"], y["event"] = time, True
    if event is not None:
        event = _numbers(event, "event")
        if event.shape != time.shape or not np.isin(event, (0.0, 1.0)).all():
            raise ValueError(
                f"Expected event to be 0 or 1 for each of the {len(time)} rows, got {event[:5].tolist()}, …"
            )
        y["event"] = event == 1.0
    if strata is not None:
        labels = np.asarray(strata)
        if labels.shape != time.shape:
            raise ValueError(f"Expected strata to have shape {time.shape}, one label per row, got {labels.shape}")
        y["stratum"] = np.unique(labels, return_inverse=True)[1]
    return y


def as_records(y, strata=None) -> np.ndarray:
    """`survival` of what holds times and events: records, two columns (time, event), a frame of them, or times alone."""
    if y is None:
        raise ValueError("Expected y to hold times and events, got None; see shrinkwise.linear.survival")
    if hasattr(y, "columns"):
        y = np.column_stack([np.asarray(y[name]) for name in y.columns])
    y = np.asarray(y)
    if y.dtype == DTYPE:
        return y if strata is None else survival(y["time"], y["event"], strata)
    if y.dtype.names is not None and len(y.dtype.names) == 2:
        event, time = sorted(y.dtype.names, key=lambda name: y.dtype[name].kind != "b")
        return survival(y[time], y[event], strata)
    if y.dtype.names is None and y.ndim == 2 and y.shape[1] == 2:
        return survival(y[:, 0], y[:, 1], strata)
    if y.dtype.names is None and y.ndim == 1:
        return survival(y, None, strata)
    raise ValueError(
        "Expected y as times (n,), as two columns (time, event) or as records of a time and a bool, got "
        f"{y.dtype if y.dtype.names else f'shape {y.shape}'}; see shrinkwise.linear.survival"
    )


def _numbers(values, what: str) -> np.ndarray:
    try:
        if np.iscomplexobj(values):
            raise TypeError("Complex data not supported")
        found = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Expected numbers in {what}, got something else: {error}") from error
    if found.ndim != 1 or not np.isfinite(found).all():
        kind = "NaN or infinite entries" if found.ndim == 1 else f"shape {found.shape}"
        raise ValueError(f"Expected finite numbers of shape (n,) in {what}, got {kind}")
    return found
