"""The kept model: from the user's columns to predictions, saved as plain data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shrinkwise.tables import ColumnPlan, Encoder, InputError, TablePlan, as_frame
from shrinkwise.tables.file_rows import FileRows
from shrinkwise.tables.reading.files import lack_of, path_of

from .intervals.kept import INTERVALS, LabelSets, NumberIntervals, frame_like, label_lists
from .model_file import damaged, read_model, write_model
from .predictors import PREDICTORS, WeightedPredictor

MODEL_FILE = "model.json"
_OLDER_FILE = "model.skops"


@dataclass(frozen=True)
class TableModel:
    """Plan, encoder and predictor of one fitted table, and the intervals of its predictions.

    predict and predict_proba take any data frame with the columns that have a weight, or the path of a file, a folder or a
    pattern of files, which are read block by block; unseen categories and missing values are treated as in training.
    """

    plan: TablePlan
    encoder: Encoder
    predictor: WeightedPredictor
    intervals: NumberIntervals | LabelSets | None = None

    def predict(self, frame, interval: float | None = None) -> Any:
        """Numbers (n,) for regression, class labels (n,) otherwise; with `interval`, the level of intervals, a data frame.

        Its columns are prediction and, for numbers, low and high, for classes, set (lists of labels).
        """
        parts, classes = list(self._parts(frame, interval)), self.plan.classes
        said = np.concatenate([self.decide(output) for output, _ in parts])
        if interval is None:
            return said
        if classes is None:
            low, high = (np.concatenate([edges[side] for _, edges in parts]) for side in (0, 1))
            return frame_like(frame, {"prediction": said, "low": low, "high": high})
        return frame_like(
            frame, {"prediction": said, "set": label_lists(classes, np.concatenate([e for _, e in parts]))}
        )

    def predict_proba(self, frame) -> np.ndarray:
        """Class probabilities (n, K), columns in the order of `plan.classes`."""
        if self.plan.classes is None:
            raise InputError(f"{self.plan.target!r} is numeric and has no class probabilities; use predict.")
        return self.output(frame)

    def output(self, frame) -> np.ndarray:
        """Predictions (n,) for regression, class probabilities (n, K) otherwise."""
        return np.concatenate([output for output, _ in self._parts(frame, None)])

    def _parts(self, table: Any, level: float | None) -> Iterator[tuple[np.ndarray, Any]]:
        """(output, interval at a level or None) of the rows of a frame, or block by block of the rows of files."""

        def predicted(frame: Any) -> tuple[np.ndarray, Any]:
            X = self.encoded(frame)
            output = self.of_encoded(X, frame)
            return output, None if level is None else self.within(X, output, level)

        if isinstance(table, str | Path):
            rows = FileRows(self.encoder, self.used, table)
            yield from (rows.done(block, predicted) for block in rows.blocks())
        else:
            yield predicted(table)

    def of_encoded(self, X: Any, frame: Any) -> np.ndarray:
        """The output for encoded rows; counts are rates times the exposure of the rows of `frame`."""
        exposure, output = self.plan.exposures(frame), by_equal_blocks(self.predictor.output, X)
        return output if exposure is None else output * exposure

    def encoded(self, frame) -> Any:
        """The standardised features (n, q) of a data frame."""
        return self.encoder.transform(as_frame(frame), needed=self.used)

    def within(self, X: Any, output: np.ndarray, level: float) -> Any:
        """The intervals of encoded rows at a level: (low, high), each (n,), or which labels (n, K) are in the sets."""
        if self.intervals is None:
            raise InputError("This model has no intervals; fit it again with shrinkwise fit.")
        found = by_equal_blocks(lambda X, output: np.stack(self._interval(X, output, level), axis=1), X, output)
        return found if self.plan.classes else (found[:, 0], found[:, 1])

    def _interval(self, X: Any, output: np.ndarray, level: float) -> list[np.ndarray]:
        found: Any = self.intervals.at(X, output, level)  # type: ignore[union-attr]
        return list(found.T) if self.plan.classes else list(found)

    @property
    def used(self) -> set[int]:
        """Which columns of `plan.kept` have a feature with a non-zero weight; predictions need only these."""
        weights = np.atleast_2d(self.predictor.feature_weights())
        return {self.encoder.inputs[j] for j in np.flatnonzero(weights.any(axis=0))}

    def remarks(self, frame) -> list[str]:
        """Sentences on how kinds of values that did not occur in training are treated."""
        return self.encoder.remarks(frame, self.used)

    def decide(self, output: np.ndarray) -> np.ndarray:
        """The most probable class of each row of probabilities; predictions of a regression as they are."""
        return output if self.plan.classes is None else np.array(self.plan.classes)[output.argmax(axis=1)]

    def save(self, path: str | Path) -> None:
        """Write model.json, plain data as text, to `path`, and its arrays next to it as model.npz: no code, no
        pickles."""
        data = {
            "plan": asdict(self.plan),
            "encoder": {name: getattr(self.encoder, name) for name in _ENCODER_DATA},
            "predictor": self.predictor.kind,
        }
        arrays = {f"encoder.{name}": getattr(self.encoder, name) for name in _ENCODER_ARRAYS}
        arrays |= {f"predictor.{name}": array for name, array in self.predictor.arrays().items()}
        if self.intervals is not None:
            data["intervals"] = {"kind": self.intervals.kind, "units": self.intervals.units}
            arrays |= {f"intervals.{name}": array for name, array in self.intervals.arrays().items()}
        write_model(Path(path), data, arrays)


def by_equal_blocks(work: Callable[..., np.ndarray], X: Any, *beside: np.ndarray) -> np.ndarray:
    """`work(X, *beside)`, which treats every row by itself, on blocks of equal size and memory layout.

    A product of matrices rounds a row differently in matrices of different sizes: this way a row has the same digits in a
    frame of any length. A sparse matrix is multiplied row by row anyway.
    """
    if hasattr(X, "tocsr"):
        return work(X, *beside)
    n = len(X)
    parts = []
    for start in range(0, n, _EQUAL):
        blocks = [np.zeros((_EQUAL, *each.shape[1:])) for each in (X, *beside)]
        height = min(_EQUAL, n - start)
        for block, each in zip(blocks, (X, *beside), strict=True):
            block[:height] = each[start : start + height]
        parts.append(work(*blocks)[:height])
    return np.concatenate(parts) if parts else work(X, *beside)


_EQUAL = 512
_ENCODER_DATA = ("rules", "inputs", "feature_names", "sparse")
_RULE_TEXTS = ("features", "levels", "words", "pooled", "items")
_ENCODER_ARRAYS = ("varies", "mean", "scale")


def load(path: str | Path) -> TableModel:
    """Load the model of a run folder, or of a model.json with its model.npz in the same folder.

    The files contain plain data, and no code is run. Raises InputError if they are not the files of a model.
    """
    path = path_of(path)
    file = path / MODEL_FILE if path.is_dir() else path
    older = path / _OLDER_FILE if path.is_dir() else path
    if older.name.endswith(".skops") and older.is_file() and not (path.is_dir() and file.is_file()):
        raise InputError(
            f"{older} was written by an older version of shrinkwise and cannot be read; fit the model again with "
            "shrinkwise fit or shrinkwise replay."
        )
    if not file.is_file():
        raise InputError(f"{path} is not a run folder of shrinkwise fit, because {file} {lack_of(file)}.")
    data, arrays = read_model(file)
    try:
        return _built(data, arrays)
    except (KeyError, TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:
        raise damaged(file, error) from error


def _built(data: dict[str, Any], arrays: dict[str, np.ndarray]) -> TableModel:
    columns = [ColumnPlan(**column) for column in data["plan"]["columns"]]
    plan = TablePlan(**{**data["plan"], "columns": columns})
    encoder = Encoder(plan)
    for name in _ENCODER_DATA:
        setattr(encoder, name, data["encoder"][name])
    for name in _ENCODER_ARRAYS:
        setattr(encoder, name, arrays[f"encoder.{name}"])
    predictor = PREDICTORS[data["predictor"]].of(_part(arrays, "predictor."))
    intervals = None
    if "intervals" in data:  # a file of schema 1 has none
        kept = data["intervals"]
        intervals = INTERVALS[kept["kind"]].of(kept["units"], _part(arrays, "intervals."))
    model = TableModel(plan, encoder, predictor, intervals)
    n_features = {len(encoder.inputs), len(encoder.feature_names), len(encoder.mean), len(encoder.scale)}
    n_features |= {int(encoder.varies.sum()), model.predictor.feature_weights().shape[-1]}
    if len(n_features) > 1 or len(encoder.rules) != len(plan.kept):
        raise ValueError("The parts have different sizes")
    _check(model)
    return model


def _check(model: TableModel) -> None:
    """Raise ValueError unless the parts have the form in which they are used: a changed file fails here, not at a row."""
    plan, rules = model.plan, model.encoder.rules
    if not (plan.classes is None or _are_texts(plan.classes)) or not _are_texts(
        [column.name for column in plan.columns]
    ):
        raise ValueError("A class or a column has no name")
    for column, rule in zip(plan.kept, rules, strict=True):
        known = (rule["kind"], rule["form"]) == (column.kind, column.form)
        flags = all(isinstance(rule[name], bool) for name in ("gaps", "pool"))
        if not (known and flags and all(_are_texts(rule.get(name, [])) for name in _RULE_TEXTS)):
            raise ValueError(f"The rule of column {column.name!r} does not have its form")
    if sum(len(rule["features"]) for rule in rules) != len(model.encoder.varies):
        raise ValueError("The rules have another number of features")
    if not all(isinstance(i, int) and 0 <= i < len(rules) for i in model.encoder.inputs):
        raise ValueError("An input is not the number of a column")
    with np.errstate(all="ignore"):
        output = model.predictor.output(np.zeros((1, len(model.encoder.inputs))))
    if output.shape != ((1,) if plan.classes is None else (1, len(plan.classes))) or not np.isfinite(output).all():
        raise ValueError("The predictor does not give one finite number per class or row")
    if (
        not np.isfinite(model.encoder.mean).all()
        or not (np.isfinite(model.encoder.scale) & (model.encoder.scale > 0)).all()
    ):
        raise ValueError("The standardization is not finite")


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(each, str) for each in values)


def _part(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """The arrays whose name starts with `prefix`, without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
