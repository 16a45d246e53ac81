"""The second pass over the rows: the least-squares sums of every fold, of encoded rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from shrinkwise.linear.problem.row_triangles import contribution, merged
from shrinkwise.linear.problem.triangular_factor import Triangle
from shrinkwise.streaming import RowBlock, RowBlocks, RowsError, reduce_rows
from shrinkwise.streaming.blocks import SourcePart
from shrinkwise.streaming.reduction import Bound
from shrinkwise.tables import Encoder, InputError, TablePlan
from shrinkwise.tables.columns.kinds import as_text, refuse_infinite
from shrinkwise.tables.errors import RowError

from .pieces import PartSums, StoredPass

_TARGET, _WEIGHT, _GROUP = "target", "weight", "group"


@dataclass(frozen=True)
class EncodedRows(RowBlocks):
    """The rows of a table as encoded inputs, a numeric target and a weight, which is 0 where the target is missing."""

    plan: TablePlan | None = None
    encoder: Encoder | None = None
    divisor: float = 1.0

    @classmethod
    def of(cls, rows: RowBlocks, encoder: Encoder, divisor: float = 1.0) -> EncodedRows:
        """The rows with the inputs and the target of the encoder's plan, a numeric target divided by `divisor`."""
        plan = encoder.plan
        group = next((column.name for column in plan.columns if column.kind == _GROUP), None)
        return cls(
            rows.parts,
            rows.schema,
            target=_TARGET,
            weight=_WEIGHT,
            group=None if group is None else _GROUP,
            one_pass=rows.one_pass,
            scheduler=rows.scheduler,
            _inputs=tuple(map(str, range(len(encoder.feature_names)))),
            plan=plan,
            encoder=encoder,
            divisor=divisor,
        )

    def blocks_of(self, part: SourcePart, first: int, columns: Sequence[str] | None = None) -> Iterator[RowBlock]:
        """The encoded rows of one part. InputError names the row and the file of a value that cannot be used."""
        plan = self.plan
        assert plan is not None
        roles = [column.name for column in plan.columns if column.kind in (_GROUP, "weight", "exposure", "offset")]
        for block in super().blocks_of(part, first, [*(column.name for column in plan.kept), plan.target, *roles]):
            try:
                yield replace(block, frame=self._encoded(block.frame))
            except RowError as error:
                raise error.moved(block.offset, block.origin) from None

    def _encoded(self, frame: pl.DataFrame) -> pl.DataFrame:
        plan, encoder = self.plan, self.encoder
        assert plan is not None
        assert encoder is not None
        used, numbers = plan.numbered_rows(frame)
        y, weights, at = np.zeros(frame.height), np.zeros(frame.height), numbers - 1
        values = plan.target_values(used, numbers)
        refuse_infinite(plan.target, values, numbers)
        _refuse_not_positive(plan, values, numbers)
        own = plan.weights(used)
        y[at] = np.log(values) if plan.log_target else values / self.divisor
        weights[at] = 1.0 if own is None else own
        X = encoder.transform(frame)
        dense = X.toarray() if hasattr(X, "toarray") else X
        columns = [pl.Series(str(j), dense[:, j]) for j in range(dense.shape[1])]
        columns += [pl.Series(_TARGET, y), pl.Series(_WEIGHT, weights)]
        if self.group is not None:
            name = next(column.name for column in plan.columns if column.kind == _GROUP)
            columns.append(as_text(frame[name]).fill_null("").alias(_GROUP))
        return pl.DataFrame(columns)


def _refuse_not_positive(plan: TablePlan, values: np.ndarray, numbers: np.ndarray) -> None:
    if plan.log_target and not (values > 0).all():
        raise RowError(
            lambda place, _: (
                f"Models are fitted to the logarithm of {plan.target!r}, because all its values in a sample are above 0, but "
                f"it is {values[values <= 0][0]:g} in {place}; use --no-log-target."
            ),
            int(numbers[np.argmax(values <= 0)]),
        )


def fold_sums(
    rows: RowBlocks, encoder: Encoder, n_folds: int, seed: int, pieces: PartSums, progress: Callable[[int], None]
) -> list[Triangle]:
    """The triangle of every fold, in one pass; `progress` is called with the number of rows of each block.

    Raises InputError for a value that cannot be used, with its row and its file, and for a fold without rows.
    """
    encoded = EncodedRows.of(rows, encoder)
    work = Bound(contribution, (encoded.shell, n_folds, seed))
    try:
        found = reduce_rows(
            encoded, work, merged, progress=progress, store=StoredPass(pieces, "sums", _arrays, _of_arrays)
        )
    except RowsError as error:
        raise InputError(f"{str(error).removesuffix('.')}.") from error
    for k, triangle in enumerate(found):
        if triangle is None:
            raise InputError(f"Fold {k + 1} of {n_folds} has no rows; use fewer folds.")
    return found


def _arrays(found: list[Triangle | None]) -> dict[str, np.ndarray]:
    arrays = {"folds": np.array(len(found))}
    for k, triangle in enumerate(found):
        if triangle is not None:
            arrays |= {f"R{k}": triangle.R, f"size{k}": np.array([triangle.n, triangle.weight])}
    return arrays


def _of_arrays(arrays: dict[str, np.ndarray]) -> list[Triangle | None]:
    def one(k: int) -> Triangle | None:
        if f"R{k}" not in arrays:
            return None
        n, weight = arrays[f"size{k}"].tolist()
        return Triangle(arrays[f"R{k}"], int(n), weight)

    return [one(k) for k in range(int(arrays["folds"]))]
