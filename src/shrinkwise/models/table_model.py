"""The model that is kept: from the user's columns to predictions, saved without pickle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from shrinkwise.tables import ColumnPlan, Encoder, InputError, TablePlan, as_frame

from .predictors import LinearPredictor, NetworkPredictor, WeightedPredictor

MODEL_FILE = "model.skops"


@dataclass(frozen=True)
class TableModel:
    """Plan, encoder and predictor of one fitted table.

    predict and predict_proba take any data frame with the columns that have a weight; unseen categories and missing values
    are encoded as the encoder says.
    """

    plan: TablePlan
    encoder: Encoder
    predictor: WeightedPredictor

    def predict(self, frame) -> np.ndarray:
        """Numbers (n,) for regression, class labels (n,) otherwise."""
        return self.decide(self.output(frame))

    def predict_proba(self, frame) -> np.ndarray:
        """Class probabilities (n, K), columns in the order of `plan.classes`."""
        if self.plan.classes is None:
            raise InputError(f"{self.plan.target!r} is a number and has no class probabilities: use predict.")
        return self.output(frame)

    def output(self, frame) -> np.ndarray:
        """Predictions (n,) for regression, class probabilities (n, K) otherwise."""
        return self.predictor.output(self.encoder.transform(as_frame(frame), needed=self.used))

    @property
    def used(self) -> set[int]:
        """Which columns of `plan.kept` have a feature with a weight that is not zero: no prediction needs another."""
        weights = np.atleast_2d(self.predictor.feature_weights())
        return {self.encoder.inputs[j] for j in np.flatnonzero(weights.any(axis=0))}

    def remarks(self, frame) -> list[str]:
        """What a prediction does with values of a sort that was not there before, in sentences."""
        return self.encoder.remarks(frame, self.used)

    def decide(self, output: np.ndarray) -> np.ndarray:
        """The most probable class of each row of probabilities; predictions of a regression as they are."""
        return output if self.plan.classes is None else np.array(self.plan.classes)[output.argmax(axis=1)]

    def save(self, path: str | Path) -> None:
        """Write a skops file: arrays and plain attributes, no code."""
        from zipfile import ZIP_DEFLATED

        import skops.io

        skops.io.dump(self, path, compression=ZIP_DEFLATED)


def load(path: str | Path) -> TableModel:
    """The model of a run folder, or of a model file in one.

    Only the types of a `TableModel` are trusted, by an explicit list; a file that holds anything else is refused.
    """
    path = Path(path)
    file = path / MODEL_FILE if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"{path} is not a run folder of shrinkwise fit: there is no {file.name} to load.")
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    kinds = (TableModel, TablePlan, ColumnPlan, Encoder, LinearPredictor, NetworkPredictor)
    try:
        model = skops.io.load(file, trusted=[f"{kind.__module__}.{kind.__qualname__}" for kind in kinds])
    except UntrustedTypesFoundException as error:
        raise InputError(
            f"{file} holds types that a shrinkwise model does not have, and was not loaded: {error}"
        ) from None
    except Exception as error:  # a damaged file fails anywhere in the unpacking
        raise InputError(f"{file} is damaged or not a shrinkwise model ({type(error).__name__}: {error}).") from error
    if not isinstance(model, TableModel):
        raise InputError(f"{file} holds a {type(model).__name__}, not a model written by shrinkwise fit.")
    return model
