"""The sections of the report, in order. To add one: a file here that defines SECTION, and its line in the list."""

from __future__ import annotations

from typing import Any

from shrinkwise.report.section import Section

from . import comparison, data, errors, explorer, halves, intervals, model, network, opening, reproduce, stress

SECTIONS: list[Section[Any]] = [
    opening.SECTION,
    explorer.SECTION,
    comparison.SECTION,
    halves.SECTION,
    stress.SECTION,
    errors.SECTION,
    intervals.SECTION,
    network.SECTION,
    model.SECTION,
    data.SECTION,
    reproduce.SECTION,
]
