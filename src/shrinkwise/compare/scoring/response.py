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
    mean. The outside reference is fitted to y. Where these rows are a sample, a candidate that depends on sums alone is
    fitted to the factors of all of them.

    References
    ----------
    Duan, Smearing estimate: a nonparametric retransformation method, JASA 78, 1983, doi:10.2307/2288126.
    """
    if problem.has_classes:
        return candidate.tune(problem, options)
    on_log = problem.log_target and candidate.log_link
    fitted = problem.fitted if on_log else problem
    if candidate.by_sums and problem.of_all_rows is not None:
        fitted = replace(fitted, factors=problem.of_all_rows)
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

    found = candidate.tune(fitted, options)
    if problem.of_all_rows is not None and not candidate.by_sums:
        found = found.each(lambda fit: replace(fit, note="; ".join(filter(None, [fit.note, on_sample(problem)]))))
    return found.each(changed)


def on_sample(problem: TrainingRows) -> str:
    """The note on a model that is fitted to a sample where others are fitted to all rows, the same for similar folds."""
    return f"fitted to a random sample of about {float(f'{len(problem.y):.2g}'):,.0f} rows"
