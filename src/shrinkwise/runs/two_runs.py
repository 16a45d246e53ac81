"""Comparison of two run folders: paired fold by fold if they held out the same rows, otherwise without differences."""

from __future__ import annotations

import csv
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shrinkwise.selection import paired_interval
from shrinkwise.tables import InputError
from shrinkwise.tables.reading.files import lack_of

from .folder import FORMAT, RUN_FILE

# What is read of a record: table, name, type.
_READ: tuple[tuple[str, str, type], ...] = (
    ("data", "target", str),
    ("data", "rows_used", int),
    ("results", "score", str),
    ("results", "kept", str),
    ("results", "settings", dict),
    ("results", "fold_sizes", list),
    ("results", "candidates", dict),
)
_CALLED = {"best": "best setting", "one_se": "1-SE setting"}
_WEIGHING = ("weight", "exposure", "offset")  # columns by which a score weighs the rows


@dataclass(frozen=True)
class TwoRuns:
    """Rows {"candidate", "first", "second", "difference"} with scores and (mean, low, high), or None, of second − first.

    sentences explain whether the scores can be subtracted; kept are the candidates that the runs kept.
    """

    score: str
    kept: tuple[str, str]
    rows: list[dict]
    sentences: list[str]


def read_record(path: Path) -> dict:
    """The contents of the run.toml of a run folder, or of the file itself."""
    file = path / RUN_FILE if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"{path} is not a run folder of shrinkwise fit, because {file} {lack_of(file)}.")
    try:
        with file.open("rb") as opened:
            record = tomllib.load(opened)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is not a valid run.toml: {error}.") from None
    if record.get("format") != FORMAT:
        raise InputError(
            f"{file} was not written by this version of shrinkwise fit, because its format is not {FORMAT!r}."
        )
    _check_record(file, record)
    return record


def _check_record(file: Path, record: dict) -> None:
    """Raise InputError for a record without the required entries, naming the first."""
    for table, name, kinds in _READ:
        part = record.get(table)
        if not isinstance(part, dict) or not isinstance(part.get(name), kinds):
            raise _damaged(file, f"{table}.{name}")
    if not isinstance(record.get("versions"), dict):
        raise _damaged(file, "versions")
    if record["results"]["kept"] not in record["results"]["candidates"]:
        raise _damaged(file, "results.kept")
    if not _are_numbers(record["results"]["fold_sizes"]) or len(record["results"]["fold_sizes"]) != 2:
        raise _damaged(file, "results.fold_sizes")
    for name, scores in record["results"]["candidates"].items():
        for key in ("fold_scores", "best_fold_scores"):
            if not isinstance(scores, dict) or not _are_numbers(scores.get(key)):
                raise _damaged(file, f"results.candidates.{name}.{key}")


def _are_numbers(values) -> bool:
    return isinstance(values, list) and bool(values) and all(map(_is_number, values))


def _is_number(value) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**63)  # TOML's range of whole numbers


def _damaged(file: Path, what: str) -> InputError:
    return InputError(f"{file} is damaged or was changed: {what} is missing or has the wrong type.")


def compare_runs(first: Path, second: Path) -> TwoRuns:
    """The candidates of two runs side by side, with paired intervals if their folds are the same.

    Raises InputError if the runs differ in their target or score.
    """
    one, two = read_record(first), read_record(second)
    for what, a, b in (
        ("target", one["data"]["target"], two["data"]["target"]),
        ("score", one["results"]["score"], two["results"]["score"]),
    ):
        if a != b:
            raise InputError(f"The runs cannot be compared, because the {what} is {a!r} in one and {b!r} in the other.")
    why = _not_paired(one, two, first, second)
    sizes = None if why else tuple(one["results"]["fold_sizes"])
    choices = [run["results"].get("choice") for run in (one, two)]
    same = choices[0] == choices[1]
    key = "fold_scores" if same else "best_fold_scores"
    names = list(dict.fromkeys([*one["results"]["candidates"], *two["results"]["candidates"]]))
    rows = [
        _row(*(run["results"]["candidates"].get(name) for run in (one, two)), name=name, key=key, sizes=sizes)
        for name in names
    ]
    return TwoRuns(
        one["results"]["score"],
        (one["results"]["kept"], two["results"]["kept"]),
        rows,
        [why or _paired(rows), _compared(choices)],
    )


def _paired(rows: list[dict]) -> str:
    """What is subtracted of two runs that held out the same rows."""
    if any(row["difference"] for row in rows):
        return "Both runs held out the same rows of the same table, so scores are compared fold by fold."
    return "No candidate was scored on the same folds of both runs, so no scores are subtracted."


def _compared(choices: list[str | None]) -> str:
    """At which setting of a candidate the scores are."""
    first, second = (_CALLED.get(choice or "", f"strongest setting {choice}") for choice in choices)
    if first != second:
        return (
            f"Scores are at the best setting of each candidate, because the first run kept the {first} and the second the "
            f"{second}."
        )
    return f"Scores are at the {first} of each candidate; one without such a setting has a single score."


def _not_paired(one: dict, two: dict, first: Path, second: Path) -> str:
    """Why scores cannot be subtracted; "" if they can."""
    tables = [record["data"].get("sha256") for record in (one, two)]
    if tables[0] != tables[1] or tables[0] is None:
        names = [f"{r['data'].get('file', 'a data frame')}, {r['data']['rows_used']} rows" for r in (one, two)]
        return (
            f"The runs used different tables ({names[0]}, and {names[1]}), or tables that are not known to be equal, so their "
            "scores are not subtracted."
        )
    weighing = [{kind: record["data"].get("parts", {}).get(kind) for kind in _WEIGHING} for record in (one, two)]
    if weighing[0] != weighing[1]:
        told = ["; ".join(f"{kind} {name!r}" for kind, name in each.items() if name) or "none" for each in weighing]
        return (
            f"The runs weigh the rows by different columns ({told[0]} in the first, {told[1]} in the second), so their scores "
            "are not subtracted."
        )
    if _folds(first) != _folds(second):
        return (
            "The runs held out different rows (another seed, other folds or other rows), so their scores are not subtracted; "
            "part of a difference between them is due to the split."
        )
    return ""


def _folds(run: Path) -> dict[str, str]:
    """The fold of each row, by its number in the table."""
    try:
        with (run / "predictions.csv").open(encoding="utf-8", newline="") as file:
            return {line["row"]: line["fold"] for line in csv.DictReader(file)}
    except (OSError, KeyError):
        raise InputError(f"{run} has no readable predictions.csv, which lists the rows of each fold.") from None


def _row(
    one: dict | None, two: dict | None, *, name: str, key: str, sizes: tuple[float, float] | None
) -> dict[str, Any]:
    scores = [each.get(key, each["fold_scores"]) if each else None for each in (one, two)]
    means = [sum(each) / len(each) if each else None for each in scores]
    difference = None
    if sizes and scores[0] and scores[1] and len(scores[0]) == len(scores[1]):
        difference = paired_interval([b - a for a, b in zip(*scores, strict=True)], *sizes)
    return {"candidate": name, "first": means[0], "second": means[1], "difference": difference}
