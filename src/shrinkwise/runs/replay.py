"""The complete settings of a run in run.toml, and whether a repetition gave the same numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shrinkwise.tables import InputError, data_hash

_FILE_OF = {"file": "table", "test": "test table"}
_REMEDY = {"file": ": name it with --file"}
# What a repetition may choose anew: it moves no number.
FREE = ("out", "jobs", "quiet", "as_json", "resume")


def settings_record(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of the command as TOML can hold them, defaults included, with the hash of every file among them."""
    files = {name: value for name, value in settings.items() if isinstance(value, Path) and name not in FREE}
    kept = {name: _plain(value) for name, value in settings.items() if value is not None and name not in FREE}
    return {"fit": kept, "files": {name: data_hash(path) for name, path in files.items() if path.is_file()}}


def settings_of(record: dict, file: Path | None, known: list[str]) -> dict[str, Any]:
    """The settings to run again; `file` stands in for the table. Raises InputError where a file is not the same any more."""
    settings, digests = record.get("fit"), record.get("files")
    if not isinstance(settings, dict) or not isinstance(digests, dict) or "file" not in {*settings} & {*digests}:
        raise InputError(
            "This run.toml does not hold the settings of its run and the SHA-256 of its table, so the run cannot be repeated."
        )
    settings = dict(settings)
    for name in FREE:
        if name in settings:
            raise InputError(
                f"This run.toml sets {name!r}, which shrinkwise never records: a replay takes it from the command line alone. "
                "Remove that line if you trust the rest of the file."
            )
    for name, value in settings.items():
        if not all(isinstance(each, (str, int, float)) for each in (value if isinstance(value, list) else [value])):
            raise InputError(
                f"This run.toml sets {name!r} to {value!r}, where a text, a number or a list was expected."
            )
    unknown = [name for name in settings if name not in known]
    if unknown:
        raise InputError(
            f"This run.toml has the setting {unknown[0]!r}, which this version of shrinkwise does not know; it was written by "
            f"{record.get('versions', {}).get('shrinkwise', 'another version')}."
        )
    if file is not None:
        settings["file"] = str(file)
    for name, digest in digests.items():
        if name not in settings:
            raise InputError(f"This run.toml holds the SHA-256 of {name!r} and does not name that file.")
        if not Path(str(settings[name])).is_file():
            raise InputError(
                f"The {_FILE_OF.get(name, name)} of that run is not at {settings[name]} any more{_REMEDY.get(name, '')}."
            )
        if data_hash(Path(str(settings[name]))) != digest:
            raise InputError(
                f"{settings[name]} is not the file of that run any more (its SHA-256 is another), so the numbers cannot be the "
                "same: give the old one with --file, or run shrinkwise fit on this one."
            )
    return settings


def differences(old: dict, new: dict) -> list[str]:
    """Sentences on what two records of one run do not share: results first, then versions; [] when all numbers agree."""
    found = []
    candidates = {**old["results"]["candidates"], **new["results"]["candidates"]}
    for name in candidates:
        a, b = (record["results"]["candidates"].get(name) for record in (old, new))
        if a != b:
            found.append(_changed(name, a, b))
    for name in ("kept", "settings"):
        a, b = old["results"].get(name), new["results"].get(name)
        if a != b:
            found.append(f"{name}: {a} then, {b} now.")
    return found


def other_versions(old: dict, new: dict) -> list[str]:
    """The packages whose version is another."""
    names = {**old["versions"], **new["versions"]}
    pairs = ((name, old["versions"].get(name, "none"), new["versions"].get(name, "none")) for name in names)
    return [f"{name} {a} then, {b} now" for name, a, b in pairs if a != b]


def _changed(name: str, a: dict | None, b: dict | None) -> str:
    if a is None or b is None:
        return f"{name} was compared {'now' if a is None else 'then'} only."
    gaps = [abs(x - y) for x, y in zip(a["fold_scores"], b["fold_scores"], strict=False)]
    if len(a["fold_scores"]) != len(b["fold_scores"]):
        return f"{name} had {len(a['fold_scores'])} folds then and has {len(b['fold_scores'])} now."
    return f"{name}: the scores of its folds differ by up to {max(gaps, default=0):.3g}."


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value
