"""Many classes with an L1 part: whether the steps are by classes, and the descent that comes before them.

The Hessian of m weights costs n m² operations, a gradient 4 n K p and some passes over the K n linear predictors. Where m is
large the whole Hessian is not formed: a `ClassDescent` comes near the solution by gradients alone, and one or two steps with
a `ClassModel` give the dual point that proves it. Both rest on a rough idea of the curvature. Where this is too rough, as for
columns that are nearly combinations of each other, the whole Hessian serves as long as it fits, and is preferred from then
on.
"""

from __future__ import annotations

import numpy as np

from .class_descent import ClassDescent
from .class_metric import ClassMetric, Correlations
from .class_model import ClassBlocks, ClassModel

# From so many classes on steps are by classes if the whole Hessian costs more than so many gradients, or has more rows than
# this; its price counts so many times more after each failure.
_CLASSES, _WORTH, _ROWS, _FAILED = 10, 35.0, 4000, 8.0
_DESCENT = 4000  # rows that cost as much to form the Hessian of as coordinate descent on it
_LARGE = 20_000  # entries of the linear predictor from which a descent is worth it
_SOFTMAX = 200  # operations of a product that cost as much as the passes over one entry of the linear predictor
# Violation, as a share of the kink, down to which a descent comes; above the second it has failed; its most gradients.
_NEAR, _FAR, _GRADIENTS = 1e-3, 0.1, 200
# A step to less than this share of the violation shows that the model is worth solving precisely.
_TRUSTED = 0.2
_SLOW, _STRIKES = 0.4, 2  # a step that leaves more than this share of the violation, and how many of them are a failure


class ManyClasses:
    """The choice for one `WorkingSolver`; `chosen` is whether the steps of the present solution are by classes."""

    def __init__(self, problem, columns, single: bool):
        self.problem, self.columns, self.single = problem, columns, single
        self.correlations = Correlations(problem.s / problem.n)
        self.blocks = ClassBlocks(self.correlations)
        self.worth, self.chosen, self.strikes, self.kinked = _WORTH, False, 0, False

    def choose(self, inner, w, violation) -> None:
        """Set `chosen` for a solution that starts at w with this violation of its weights."""
        self.strikes, self.chosen, self.kinked = 0, False, inner.kink is not None and inner.kink > 0
        loss, K, front = self.problem.loss, self.problem.n_outputs, self.columns.front
        if loss.is_softmax and inner.a is not None and K >= _CLASSES and front:
            moving = moving_weights(w, violation)
            whole = moving * moving * (1.0 + _DESCENT / self.problem.n)
            self.chosen = moving > _ROWS or whole > self.worth * K * (4 * front + _SOFTMAX)

    def is_far(self, inner, worst: float) -> bool:
        """Whether a descent is worth its gradients; without an L1 part nothing says how far it is to go, and for a small linear
        predictor a gradient costs as much as the Python around it."""
        if not self.chosen or self.problem.n * self.problem.n_outputs < _LARGE:
            return False
        return inner.kink > 0 and _NEAR * inner.kink < worst < np.inf

    def descend(self, inner, eta, w, b, most: int):
        """(w, b, gradients taken) after a descent from w, b with the linear predictor η (n, K)."""
        problem, columns = self.problem, self.columns
        self.blocks.restart()
        p = np.ascontiguousarray(problem.loss.inverse_link(eta).T)
        ridge = np.concatenate([inner.b[:, columns.ids[: columns.front]], np.zeros((len(w), 1))], axis=1)
        metric = ClassMetric(columns, p, problem.s / problem.n, ridge, self.correlations)
        descent = ClassDescent(problem, columns, inner, eta, w, b, self.single)
        w, b = descent.run(metric, _NEAR * inner.kink, min(_GRADIENTS, most))
        if descent.worst > _FAR * inner.kink:
            self.give_up(w, 0.0)
        return w, b, descent.gradients

    def step_was(self, worst: float, before: float, w, violation) -> None:
        """Learn the violation after a step and before it; without an L1 part Newton's steps are as slow on separated rows."""
        if self.chosen and self.kinked and worst > _SLOW * before:
            self.strikes += 1
            if self.strikes >= _STRIKES:
                self.give_up(w, violation)

    def give_up(self, w, violation) -> bool:
        """Go on with the whole Hessian, if that of the weights which may move fits; returns whether it is new to do so."""
        if not self.chosen or moving_weights(w, violation) > _ROWS:
            return False
        self.chosen = False
        self.worth *= _FAILED
        return True

    def model(self, curvature, exact: bool) -> ClassModel:
        """The model of a step by classes."""
        return ClassModel(self.columns, curvature, self.problem.fit_intercept, exact, self.blocks)

    def tolerance(self, inner, worst: float, before: float, needed: float) -> float:
        """Violation to which the model of a step is solved, `needed` that at which a dual point proves the solution.

        As precisely as the dual point has to be where the model is near the loss; elsewhere more would be lost again.
        """
        near = worst <= 2.0 * _NEAR * inner.kink or worst <= _TRUSTED * before < np.inf
        # Weights without a penalty may be asked for more than the dual point needs.
        precise = 0.03 * worst * worst / max(inner.kink, worst)
        return min(0.1 * worst, max(0.6 * needed, precise if near else 0.1 * worst))


def moving_weights(w, violation) -> int:
    """How many weights are not zero or violate stationarity."""
    return int(np.count_nonzero((w != 0) | (violation > 0)))
