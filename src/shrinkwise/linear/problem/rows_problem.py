"""What remains of a problem whose rows were read in blocks: its loss, sizes and null model, but no rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np


@dataclass
class RowsProblem:
    """The attributes of a `Problem` that do not need rows; any other one raises ValueError."""

    loss: Any
    n: int
    p: int
    n_outputs: int | None
    fit_intercept: bool
    null_loss: float
    saturated_loss: float
    column_scale: np.ndarray | None = None
    offset: None = None
    has_rows: ClassVar[bool] = False

    @property
    def stands_for(self) -> int:
        """Number of rows."""
        return self.n

    @property
    def weights_shape(self) -> tuple:
        """(p,), or (K, p) for several classes."""
        return (self.p,) if self.n_outputs is None else (self.n_outputs, self.p)

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        raise ValueError(
            f"{name!r} needs the rows themselves, which a fit of the {self.loss.name} loss to rows in blocks does not keep; "
            "fit a frame in memory, or evaluate predictions of the rows"
        )
