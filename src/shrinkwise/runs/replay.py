"""Whether repeating a run gave the same numbers."""

from __future__ import annotations


def differences(old: dict, new: dict) -> list[str]:
    """Sentences on the differences between two records of one run: results first, then versions; [] if all numbers
    agree."""
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
    """The packages whose versions differ."""
    names = {**old["versions"], **new["versions"]}
    pairs = ((name, old["versions"].get(name, "none"), new["versions"].get(name, "none")) for name in names)
    return [f"{name} {a} then, {b} now" for name, a, b in pairs if a != b]


def _changed(name: str, a: dict | None, b: dict | None) -> str:
    if a is None or b is None:
        return f"{name} was compared only {'now' if a is None else 'then'}."
    gaps = [abs(x - y) for x, y in zip(a["fold_scores"], b["fold_scores"], strict=False)]
    if len(a["fold_scores"]) != len(b["fold_scores"]):
        return f"{name} had {len(a['fold_scores'])} folds then and has {len(b['fold_scores'])} now."
    return f"{name}: the scores of its folds differ by up to {max(gaps, default=0):.3g}."
