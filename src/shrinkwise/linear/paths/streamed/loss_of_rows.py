"""The loss of rows in blocks: which losses can be summed over blocks, and the check of the targets."""

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
