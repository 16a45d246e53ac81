"""RealMLP and TabM on the outer folds of `shrinkwise fit`: scores on the held-out rows, and seconds.

Both are pytabkit's, with its defaults but for the validation metric of classes, which is cross-entropy as the score is log
loss (RMSE of numbers). The table is given as it is read, texts as categories; a fifth of the training rows is the peers' own
validation. They live in another environment, in which pytabkit is installed. Each fold goes into results/peers.json, and
what is there is not repeated.

    SHRINKWISE_DATA=../shared/data SHRINKWISE_PEERS=peers/bin/python
        python -m benchmarks.tables.evidence_peers [--model tabm] [TABLE …]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

RESULTS = Path(__file__).parents[1] / "results" / "peers.json"
TABLES = ("sonar", "credit_g", "car", "segment", "spam")
MODELS = {"realmlp": "RealMLP_TD", "tabm": "TabM_D"}


def written(name: str, folder: Path) -> int:
    """Write the encoded target, the inputs and the folds of a table; the number of folds."""
    from benchmarks.tables.evidence_tables import loaded

    from shrinkwise.compare.splits.splits import split_table
    from shrinkwise.service import FitRequest, Question

    frame, _, target = loaded(name)
    question = Question.of(FitRequest(frame, target))
    splits = split_table(frame, question.plan, question.options)
    frame.select([column.name for column in question.plan.kept]).write_csv(folder / "inputs.csv")
    texts = [column.name for column in question.plan.kept if column.kind != "number"]
    is_class = question.plan.classes is not None
    np.savez(folder / "target.npz", y=splits.y, **{f"test{k}": test for k, (_, test) in enumerate(splits.folds)})
    (folder / "plan.json").write_text(json.dumps({"texts": texts, "classes": is_class}))
    return len(splits.folds)


def peer_score(model: str, fold: int, folder: Path) -> tuple[float, float]:
    """(score on the held-out rows of a fold, seconds of the fit) of a peer, in its own environment."""
    import pandas as pd
    import pytabkit

    plan, stored = json.loads((folder / "plan.json").read_text()), np.load(folder / "target.npz")
    X = pd.read_csv(folder / "inputs.csv", dtype=dict.fromkeys(plan["texts"], str))
    X[plan["texts"]] = X[plan["texts"]].fillna("missing").astype("category")
    y, test = stored["y"], stored[f"test{fold}"]
    train = np.setdiff1d(np.arange(len(y)), test)
    settings = {"device": "cpu", "random_state": 0, "n_threads": 1}
    settings |= {"val_metric_name": "cross_entropy"} if plan["classes"] else {}
    kind = "Classifier" if plan["classes"] else "Regressor"
    peer = getattr(pytabkit, f"{MODELS[model]}_{kind}")(**settings)
    start = time.perf_counter()
    peer.fit(X.iloc[train], y[train])
    seconds = time.perf_counter() - start
    if not plan["classes"]:
        return float(np.sqrt(np.mean((peer.predict(X.iloc[test]) - y[test]) ** 2))), seconds
    chances = peer.predict_proba(X.iloc[test])[np.arange(len(test)), np.searchsorted(peer.classes_, y[test])]
    return float(-np.log(np.maximum(chances, 1e-15)).mean()), seconds


def main() -> None:
    """Run the tables one after the other; a line each."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tables", nargs="*", default=TABLES, metavar="TABLE")
    parser.add_argument("--model", choices=MODELS, default="realmlp")
    parser.add_argument("--worker", nargs=3, metavar=("MODEL", "FOLD", "FOLDER"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        model, fold, folder = asked.worker
        print(json.dumps(peer_score(model, int(fold), Path(folder))))
        return
    for name in asked.tables:
        with tempfile.TemporaryDirectory() as folder:
            for fold in range(written(name, Path(folder))):
                kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
                found = kept.setdefault(name, {}).setdefault(asked.model, {})
                if str(fold) in found:
                    continue
                command = [os.environ["SHRINKWISE_PEERS"], __file__, "--worker", asked.model, str(fold), folder]
                answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
                found[str(fold)] = json.loads(answer.splitlines()[-1])
                RESULTS.write_text(json.dumps(kept, indent=1) + "\n")
        scores, seconds = np.array(list(found.values())).T
        error = scores.std(ddof=1) / np.sqrt(len(scores))
        print(f"{name:10} {asked.model:8} {scores.mean():.4f} ± {error:.4f}  {seconds.sum():.0f} s", flush=True)


if __name__ == "__main__":
    main()
