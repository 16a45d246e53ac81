"""What a candidate's scores become: predictions within the range of the target, and those of a target on a log scale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shrinkwise.compare.candidates.base import Candidate, Fit, TrainingRows, Tuned
from shrinkwise.compare.options import Options
from shrinkwise.models.predictors import Predictor, RespondingPredictor, Response

# An exponential grows without bound outside the learned rows: predictions end at this multiple of the largest target.
_BEYOND = 2.0


def tuned_response(candidate: Candidate, problem: TrainingRows, options: Options) -> Tuned:
    """`candidate.tune`, its predictions within `problem.limits`.

    With `problem.log_target` it is fitted to log y, and predicts exp(score) times Duan's smearing factor, the mean of
    exp(log y − score) over the training rows: without it, the exponential of a mean logarithm would be too low for the
    mean. The outside reference is fitted to y.

    References
    ----------
    Duan, Smearing estimate: a nonparametric retransformation method, JASA 78, 1983, doi:10.2307/2288126.
    """
    if problem.has_classes:
        return candidate.tune(problem, options)
    on_log = problem.log_target and candidate.log_link
    fitted = problem.fitted if on_log else problem
    low, high = problem.limits
    if on_log or problem.has_counts:
        high = min(high, _BEYOND * float(problem.y.max()))
    response = Response(on_log or problem.has_counts, low, high)

    def responding(predictor: Predictor) -> Predictor:
        if not isinstance(predictor, RespondingPredictor):
            return predictor
        shift = 0.0
        if on_log:
            ratios = np.exp(fitted.y - predictor.output(problem.X))
            shift = float(np.log(np.average(ratios, weights=problem.rows.weights)))
        return predictor.responding(response, shift)

    def changed(fit: Fit) -> Fit:
        return replace(fit, predictor=responding(fit.predictor), starts=tuple(map(responding, fit.starts)))

    return candidate.tune(fitted, options).each(changed)


def log_is_better(problem: TrainingRows) -> bool:
    """Whether ridge regression has a lower RMSE, by more than one standard error, if it is fitted to log y.

    By 5-fold cross-validation on these rows, in the unit of y. Only positive targets with a long upper tail are tried:
    a skewness above 1, and half a unit lower on the log scale.
    """
    from shrinkwise.compare.candidates.linear import RIDGE
    from shrinkwise.selection import row_difference

    y = problem.y
    if not (y > 0).all() or _skewness(y) < 1 or abs(_skewness(np.log(y))) > _skewness(y) - 0.5:
        return False
    options = Options(n_lambdas=20, inner_folds=3, network=None)
    losses: dict[bool, list[np.ndarray]] = {False: [], True: []}
    splits = problem.folds(5)
    for train, test in splits:
        for log, found in losses.items():
            fit = tuned_response(RIDGE, replace(problem.take(train), log_target=log), options).best
            found.append((y[test] - fit.predictor.output(problem.X[test])) ** 2)
    weights = problem.rows.weights
    held = None if weights is None else [weights[test] for _, test in splits]
    n_train = float(np.mean([len(train) for train, _ in splits]))
    difference = row_difference(losses[True], losses[False], n_train, root=True, weights=held)
    return difference.mean < -difference.error


def _skewness(y: np.ndarray) -> float:
    """Third standardised moment."""
    centred = y - y.mean()
    return float(np.mean(centred**3) / max(float(np.mean(centred**2)), 1e-300) ** 1.5)
