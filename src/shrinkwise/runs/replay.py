"""Whether repeating a run gave the same numbers."""

from __future__ import annotations

from pathlib import Path

NUMBERS = ("coefficients.csv", "predictions.csv")  # the files of a run that hold numbers of the kept model


def differences(old: dict, new: dict) -> list[str]:
    """Sentences on the differences between two records of one run; [] if all their numbers agree."""
    found = []
    candidates = {**old["results"]["candidates"], **new["results"]["candidates"]}
    for name in candidates:
        a, b = (record["results"]["candidates"].get(name) for record in (old, new))
        found += _changed(name, a, b)
    kept = [record["results"]["kept"] for record in (old, new)]
    if kept[0] != kept[1]:
        return [*found, f"The kept candidate was {kept[0]} and is now {kept[1]}."]
    settings = [{"choice": record["results"].get("choice"), **record["results"]["settings"]} for record in (old, new)]
    for name in {**settings[0], **settings[1]}:
        a, b = (each.get(name, "not there") for each in settings)
        if a != b:
            found.append(f"The setting {name} of {kept[0]} was {a} and is now {b}.")
    return found


def other_files(old: Path, new: Path) -> tuple[list[str], list[str]]:
    """(compared, different): the files with numbers that both run folders have, and sentences on those that differ."""
    compared = [name for name in NUMBERS if (old / name).is_file() and (new / name).is_file()]
    different = [name for name in compared if (old / name).read_bytes() != (new / name).read_bytes()]
    return compared, [f"{name} differs in at least one digit." for name in different]


def other_versions(old: dict, new: dict) -> list[str]:
    """The packages whose versions differ."""
    names = {**old["versions"], **new["versions"]}
    pairs = ((name, old["versions"].get(name, "none"), new["versions"].get(name, "none")) for name in names)
    return [f"{name} {a} then, {b} now" for name, a, b in pairs if a != b]


def _changed(name: str, a: dict | None, b: dict | None) -> list[str]:
    """What differs between two records of a candidate: the number of folds, their scores, or the means of these."""
    if a is None or b is None:
        return [f"{name} was compared only {'now' if a is None else 'then'}."]
    scores = [[*each["fold_scores"], *each["best_fold_scores"]] for each in (a, b)]
    if len(scores[0]) != len(scores[1]):
        return [f"{name} had {len(a['fold_scores'])} folds then and has {len(b['fold_scores'])} now."]
    gap = max((abs(x - y) for x, y in zip(*scores, strict=True) if x != y), default=0.0)
    if gap:
        return [f"{name}: the scores of its folds differ by up to {gap:.3g}."]
    means = [[each.get(key) for key in ("best", "one_se")] for each in (a, b)]
    return (
        [] if means[0] == means[1] else [f"{name}: its mean scores differ, although those of its folds are the same."]
    )
