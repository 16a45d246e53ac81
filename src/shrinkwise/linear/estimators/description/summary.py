"""A fitted model as text, and its coefficients by name."""

from __future__ import annotations

import numpy as np

from shrinkwise.linear.paths.columns import labels_of

_SHOWN = 20


def coefficients_by_name(coef, names, outputs=None) -> dict:
    """{name of a column: weight} of coef (p,), in the order of the columns; {output: {name: weight}} of coef (K, p)."""
    coef = np.asarray(coef.toarray() if hasattr(coef, "toarray") else coef)
    if coef.ndim == 2:
        outputs = range(len(coef)) if outputs is None else outputs
        return {output: coefficients_by_name(row, names) for output, row in zip(outputs, coef, strict=True)}
    return dict(zip(labels_of(names, len(coef)), coef.tolist(), strict=True))


def summary_of(model, named: dict) -> str:
    """The penalty, λ and how it was selected, the certificate, and the largest coefficients that are not zero."""
    lines = [
        f"{type(model).__name__}: penalty {model.penalty_!r}" if hasattr(model, "penalty_") else type(model).__name__
    ]
    if hasattr(model, "curve_"):
        lines.append(_choice(model))
    lines.append(model.status_)
    several = any(isinstance(value, dict) for value in named.values())
    for output, weights in named.items() if several else [("", named)]:
        lines += _largest(weights, output)
    return "\n".join(lines)


def _choice(model) -> str:
    curve = model.curve_
    how = "within one standard error of the best" if curve.select == "1se" else "with the best score"
    value = f"{curve.mean[curve.index]:.4g} ± {curve.se[curve.index]:.2g}"
    measure = "mean held-out loss" if model.scoring is None else f"minus the mean score ({model.scoring})"
    return (
        f"λ = {model.lambda_:.4g}, {how} of {len(curve.path)} λ; {measure} {value} over {curve.losses.shape[1]} folds"
    )


def _largest(weights: dict, output) -> list[str]:
    used = sorted(((abs(w), name, w) for name, w in weights.items() if w != 0), key=lambda each: -each[0])
    head = f"{len(used)} of {len(weights)} coefficients are not zero" + (f" for {output}" if output != "" else "")
    width = max((len(name) for _, name, _ in used[:_SHOWN]), default=0)
    lines = [f"  {name:<{width}}  {w: .6g}" for _, name, w in used[:_SHOWN]]
    if len(used) > _SHOWN:
        lines.append(f"  … {len(used) - _SHOWN} smaller ones")
    return [head, *lines]
