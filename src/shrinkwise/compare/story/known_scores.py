"""Common scores of the kept model: R² and mean absolute error, or accuracy and area under the ROC curve."""

from __future__ import annotations

import numpy as np

from shrinkwise.compare.result import Comparison

from .words import said


def known_scores(comparison: Comparison) -> str:
    """A sentence on the kept model, over all held-out rows pooled and unweighted.

    Where all held-out targets are one number, as those of the later periods may be, there is no R², and in those of one class
    no area.
    """
    truth, output, _ = comparison.held_out()
    if comparison.plan.classes is None:
        error, spread = truth - output, truth - truth.mean()
        r2 = f"R² = {said(1 - float(error @ error) / float(spread @ spread))} and " if truth.min() < truth.max() else ""
        return (
            f"On the held-out rows the kept model has {r2}a mean absolute error of {said(float(np.abs(error).mean()))}."
        )
    right, rates = output.argmax(axis=1) == truth, np.bincount(truth.astype(int)) / len(truth)
    area = ""
    if len(comparison.plan.classes) == 2 and np.count_nonzero(rates) == 2:
        from sklearn.metrics import roc_auc_score

        area = f" and an area under the ROC curve of {said(float(roc_auc_score(truth, output[:, 1])))}"
    return (
        f"On the held-out rows the kept model has an accuracy of {right.mean():.1%} ({rates.max():.1%} for always predicting "
        f"the most frequent class){area}."
    )
