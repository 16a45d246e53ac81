"""The loss and the columns of rows in blocks: which losses can be summed, the check of the targets, the scales."""

from __future__ import annotations

import numpy as np

from shrinkwise.linear.losses import loss_of
from shrinkwise.streaming import RowsError


def check_sums(loss) -> None:
    """ValueError for a loss that does not add up over single rows."""
    if loss.is_partial or loss.scaled_to(np.arange(3.0), np.ones(3)) is not loss:
        raise ValueError(
            f"The {loss.name} loss cannot be summed over blocks of rows, because it joins rows or takes a part of itself from "
            "them; fit a frame in memory"
        )


def loss_of_targets(loss, labels, ends, any_labels: bool):
    """(the loss, the labels of its classes or None) after a check of the targets; errors name the row of a number.

    labels : the distinct targets in order, of a loss of classes.  ends : (y, where) of the smallest and of the largest one.
    """
    if loss.coded:
        if len(labels) < 2:
            raise RowsError(f"Expected at least two classes in the target, got one class: {labels.tolist()[0]!r}")
        if not any_labels:
            loss.checked(labels)
        elif len(labels) > 2:
            if loss.several_classes is None:
                raise RowsError(f"The {loss.name} loss is for two classes, got {len(labels)} classes")
            loss = loss_of(loss.several_classes)
        return loss, labels
    for value, place in ends:
        try:
            loss.check(np.array([value, max(ends[1][0], value)]))
        except ValueError as error:
            raise RowsError(f"{str(error).rstrip('.')} in {place}") from None
    return loss, None


def column_scales(deviations, constant, fit_intercept: bool, standardize: bool, excluded):
    """(by what a coefficient is divided, or None; by what each column is multiplied), (p,); 0 takes a column out of the fit.

    With an intercept constant columns are out; excluded : (p,) bool of others, or None.
    """
    scale = np.where(constant, 1.0, deviations) if standardize else None
    factor = np.ones(len(deviations)) if scale is None else 1.0 / scale
    factor[constant & fit_intercept] = 0.0
    if excluded is not None:
        factor[excluded] = 0.0
    return scale, factor
