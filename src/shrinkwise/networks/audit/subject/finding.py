"""The result of an audit: findings with a stable code, a severity, the numbers and the line to change."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from textwrap import fill

SEVERITIES = ("error", "warning", "note")
SCHEMA = 1
_NAMED = 3


@dataclass(frozen=True)
class Finding:
    """One finding on the regularization of a model, and the recommended change.

    code : stable kebab-case name, such as "decay-on-norms"
    severity : "error" (never intended), "warning" (rarely intended), "note" (information)
    where : the parameters, modules or lines concerned
    message : one or two sentences with the numbers
    fix : the line to change
    source : where the defect or the convention is documented; "" if the message suffices
    """

    code: str
    severity: str
    where: str
    message: str
    fix: str
    source: str = ""

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ValueError(f"Expected severity to be one of {', '.join(SEVERITIES)}, got {self.severity!r}")

    def __str__(self) -> str:
        lines = [f"{self.severity:<8} {self.code}  {self.where}", self.message, f"Fix: {self.fix}"]
        if self.source:
            lines.append(f"See: {self.source}")
        return "\n".join(
            [lines[0], *(fill(line, 100, initial_indent=" " * 9, subsequent_indent=" " * 9) for line in lines[1:])]
        )


@dataclass(frozen=True)
class Audit:
    """The findings of one audit, the most severe first; `str()` formats them for reading, `to_json()` for storage.

    findings : list of Finding
    checked : what was checked, in one sentence
    not_checked : what could not be checked, and which argument it needs
    """

    findings: list[Finding]
    checked: str
    not_checked: tuple[str, ...] = ()

    def at_least(self, severity: str) -> list[Finding]:
        """The findings of this severity or worse."""
        if severity not in SEVERITIES:
            raise ValueError(f"Expected severity to be one of {', '.join(SEVERITIES)}, got {severity!r}")
        return [f for f in self.findings if SEVERITIES.index(f.severity) <= SEVERITIES.index(severity)]

    @property
    def codes(self) -> set[str]:
        """The codes of all findings."""
        return {finding.code for finding in self.findings}

    def to_json(self, indent: int | None = 2) -> str:
        """One JSON document with a schema number, the findings, and what was and was not checked."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=indent, ensure_ascii=False)

    def __str__(self) -> str:
        counts = Counter(f.severity for f in self.findings)
        total = ", ".join(_counted(counts[severity], severity) for severity in SEVERITIES if counts[severity])
        head = f"Audit: {total or 'no findings'}. {self.checked}"
        rest = [f"Not checked: {sentence}" for sentence in self.not_checked]
        return "\n\n".join([head, *map(str, self.findings), *(["\n".join(rest)] if rest else [])])

    __repr__ = __str__


def listed(names: Iterable[str]) -> str:
    """The first names, and how many more there are."""
    names = list(dict.fromkeys(names))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}" + ("s" if n != 1 else "")
