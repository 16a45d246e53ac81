"""Which inputs are found: 8 of 100 matter, neighbours correlate by .7, n = 400, 20 repeats.

The lasso at the best λ of cross-validation, at the 1-SE λ, and the stable set of `shrinkwise fit` (inputs that the 1-SE
lasso selects in 90 % of 100 half-samples): how many true and how many false inputs each keeps.

    python -m benchmarks.tables.evidence_selection [--repeats 20]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import polars as pl

import shrinkwise as sw

N, P, TRUE, CORRELATION = 400, 100, 8, 0.7


def simulated(seed: int) -> tuple[pl.DataFrame, set[str]]:
    """A table y = Σ of 8 inputs (±1, spread over the 100) + noise; corr(x_i, x_j) = .7^|i−j|; signal to noise 2."""
    rng = np.random.default_rng(seed)
    X = np.empty((N, P))
    X[:, 0] = rng.normal(size=N)
    for j in range(1, P):
        X[:, j] = CORRELATION * X[:, j - 1] + np.sqrt(1 - CORRELATION**2) * rng.normal(size=N)
    true = np.sort(rng.choice(P, TRUE, replace=False))
    signal = X[:, true] @ rng.choice([-1.0, 1.0], TRUE)
    y = signal + signal.std() / np.sqrt(2) * rng.normal(size=N)
    names = [f"x{j:02}" for j in range(P)]
    return pl.DataFrame(dict(zip(names, X.T, strict=True)) | {"y": y}), {names[j] for j in true}


def selected(seed: int) -> tuple[dict[str, set[str]], set[str]]:
    """The inputs each rule keeps, and the true ones."""
    frame, true = simulated(seed)
    result = sw.fit(frame, "y", methods=("lasso",), folds=2, n_jobs=1, seed=seed).comparison
    names = [column.name for column in result.plan.kept]
    curve = result.curve

    def at(index: int) -> set[str]:
        return {names[j] for j in np.flatnonzero(curve.coefs[index])}

    stable = {names[j] for j in result.stable.stable}
    return {"best λ": at(curve.index_best), "1-SE": at(curve.index_one_se), "stable set": stable}, true


def main() -> None:
    """Run and print the means over the repeats."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=20)
    repeats = parser.parse_args().repeats
    counts: dict[str, list[tuple[int, int]]] = {}
    start = time.process_time()
    for seed in range(repeats):
        kept, true = selected(seed)
        for rule, names in kept.items():
            counts.setdefault(rule, []).append((len(names & true), len(names - true)))
    print(
        f"{repeats} repeats, n = {N}, {TRUE} of {P} inputs matter, correlation {CORRELATION}^|i-j|; mean (standard error)"
    )
    for rule, found in counts.items():
        mean, se = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / np.sqrt(repeats)
        print(f"{rule:12} true {mean[0]:5.2f} ({se[0]:.2f})   false {mean[1]:5.2f} ({se[1]:.2f})")
    print(f"{time.process_time() - start:.0f} s of processor time")


if __name__ == "__main__":
    main()
