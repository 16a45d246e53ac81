"""run.toml: everything needed to repeat a run, and its results."""

from __future__ import annotations

import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from shrinkwise.compare.result import Comparison
from shrinkwise.report.schema import Page
from shrinkwise.tables import data_hash

from .folder import FORMAT

_PACKAGES = ("shrinkwise", "numpy", "scipy", "scikit-learn", "polars", "narwhals")


def run_record(
    comparison: Comparison, page: Page, file: Path | None = None, settings: dict[str, Any] | None = None
) -> str:
    """The text of run.toml; `settings` are the tables "fit" and "files" by which `shrinkwise replay` repeats the run."""
    import tomli_w

    plan, settings = comparison.plan, settings or {}
    table_hash = settings.get("files", {}).get("table")  # known: a large file is not read once more
    return tomli_w.dumps(
        {
            "format": FORMAT,
            "command": page.command,
            "seed": comparison.options.seed,
            "data": {
                **({"file": str(file), "sha256": table_hash or data_hash(file)} if file else {}),
                "target": plan.target,
                "task": plan.task,
                "rows_read": plan.n_rows_read,
                "rows_used": plan.n_rows,
                "dropped": [column.name for column in plan.columns if column.kind == "dropped"],
                "parts": {
                    column.kind: column.name
                    for column in plan.columns
                    if column.kind in ("group", "time", "weight", "exposure", "offset")
                },
            },
            **settings,
            "options": _stated(asdict(comparison.options)),
            "versions": versions("torch"),
            "results": _results(comparison, page),
        }
    )


def versions(*extras: str) -> dict[str, str]:
    """The versions of Python, the packages used and the named extras; packages that are not installed are omitted."""
    found = {"python": platform.python_version()}
    for package in (*_PACKAGES, *extras):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _results(comparison: Comparison, page: Page) -> dict:
    return {
        "fold_sizes": list(comparison.splits.mean_sizes),
        "kept": comparison.chosen.candidate.name,
        "choice": comparison.choice if comparison.options.within is None else f"within {comparison.options.within:g}",
        "settings": comparison.fit.settings,
        "score": page.score.name,
        "verdict": page.verdict,
        "candidates": {
            row.candidate.name: _stated(
                {
                    "best": row.best.score,
                    "one_se": None if row.one_se is None else row.one_se.score,
                    "fold_scores": row.at(comparison.choice).scores.tolist(),
                    "best_fold_scores": row.best.scores.tolist(),
                }
            )
            for row in comparison.rows
        },
    }


def _stated(values: dict) -> dict:
    """Without entries that are None, which TOML cannot express."""
    return {
        name: _stated(value) if isinstance(value, dict) else list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if value is not None
    }
