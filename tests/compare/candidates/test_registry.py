"""The registry is the one list of candidates: nothing else spells their names, and none is forgotten in silence."""

import ast
import importlib
from dataclasses import replace
from pathlib import Path

import pytest

import shrinkwise
from shrinkwise.compare.candidates.base import Candidate
from shrinkwise.compare.candidates.registry import CANDIDATES, candidates, skipped, slugs
from shrinkwise.compare.options import NetworkOptions, Options
from shrinkwise.tables import InputError

SOURCE = Path(shrinkwise.__file__).parent
FOLDER = SOURCE / "compare" / "candidates"


def declared():
    """(file, name) of every candidate that a file of the folder makes."""
    for file in sorted(FOLDER.rglob("*.py")):
        if file.stem in ("__init__", "registry", "stacked_networks", "stack", "training"):
            continue
        path = ".".join(file.relative_to(FOLDER).with_suffix("").parts)
        module = importlib.import_module(f"shrinkwise.compare.candidates.{path}")
        for name, value in vars(module).items():
            if isinstance(value, Candidate):
                yield f"{file.name}: {name}", value


def test_every_candidate_that_is_made_is_compared():
    forgotten = [where for where, candidate in declared() if candidate not in CANDIDATES]
    assert forgotten == []


def test_every_file_of_the_folder_makes_one_or_is_shared():
    makers = {where.split(":")[0] for where, _ in declared()}
    shared = {"__init__.py", "base.py", "choice.py", "factored.py", "registry.py", "setting.py"}
    shared |= {"stacked_adam.py", "stacked_networks.py"}
    assert {file.name for file in FOLDER.glob("*.py")} - makers == shared


def test_entries_are_complete():
    for candidate in CANDIDATES:
        assert candidate.slug
        assert candidate.slug in slugs()
        assert candidate.formula or candidate.family == "reference"
        assert candidate.worth < 100
    assert len({candidate.slug for candidate in CANDIDATES}) == len({candidate.name for candidate in CANDIDATES}) == 14


def test_one_more_candidate_is_asked_for_by_its_slug_and_led_by_its_baseline(monkeypatch):
    ridge = next(candidate for candidate in CANDIDATES if candidate.slug == "ridge")
    scad = replace(ridge, name="SCAD", slug="scad", regularizer="SCAD")
    monkeypatch.setattr("shrinkwise.compare.candidates.registry.CANDIDATES", (*CANDIDATES, scad))
    monkeypatch.setattr(
        "shrinkwise.compare.candidates.registry._BY_SLUG", {each.slug: each for each in (*CANDIDATES, scad)}
    )
    assert [each.slug for each in candidates(Options(methods=("scad",)))] == ["none", "scad"]


def test_abilities_decide_who_takes_part():
    everyone = candidates(Options(network=NetworkOptions()))
    assert everyone == list(CANDIDATES)
    assert all(not each.needs_groups for each in candidates(Options(), has_groups=False))
    assert all(not each.needs_numbers for each in candidates(Options(), has_numbers=False))
    bounded = candidates(Options(bounds={"x": (0.0, 1.0)}))
    assert all(each.takes_bounds or each.family == "reference" for each in bounded)
    assert all(each.family != "network" for each in candidates(Options(network=None)))
    with pytest.raises(InputError, match="Unknown method 'scad'"):
        candidates(Options(methods=("scad",)))
    with pytest.raises(InputError, match="at least one regularized"):
        candidates(Options(methods=("none", "trees")))


def test_a_requested_method_that_cannot_be_compared_is_named_with_its_reason():
    quick = Options(methods=("lasso", "network-l2", "trees"), network=None)
    assert [each.slug for each in candidates(quick)] == ["none", "lasso", "trees"]
    (name, why), *others = skipped(quick).items()
    assert (name, others) == ("network + L2", [])
    assert why == "networks are excluded (effort quick or --no-networks)"
    assert skipped(replace(quick, methods=None)) == {}
    with pytest.raises(InputError, match=r"left to compare \(network \+ L2 is skipped: networks are excluded"):
        candidates(replace(quick, methods=("network-l2",)))
    bounded = Options(methods=("lasso", "group-lasso"), bounds={"x": (0.0, 1.0)})
    assert skipped(bounded, has_groups=False)["group lasso"] == "every input is a single column"


def compared_by_name(source: str) -> list[int]:
    """Lines on which something is compared with, or looked up by, the name or slug of a candidate."""
    names = {name for each in CANDIDATES for name in (each.name, each.slug)} - {"network", "none"}
    found = []
    for node in ast.walk(ast.parse(source)):
        sides = []
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
        elif isinstance(node, ast.Dict):
            sides = [key for key in node.keys if key is not None]
        elif isinstance(node, ast.Subscript):
            sides = [node.slice]
        constants = [n for side in sides for n in ast.walk(side) if isinstance(n, ast.Constant)]
        if any(n.value in names for n in constants if isinstance(n.value, str)):
            found.append(node.lineno)
    return found


def test_no_candidate_is_recognised_by_its_name():
    rooms = ("compare", "models", "runs", "report", "service", "cli", "figures")  # those that know of candidates
    files = [file for room in rooms for file in (SOURCE / room).rglob("*.py")]
    files = [file for file in files if FOLDER not in file.parents]
    found = {str(file.relative_to(SOURCE)): compared_by_name(file.read_text(encoding="utf-8")) for file in files}
    assert {file: lines for file, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line", ['c.name == "lasso"', 'c.name in ("ridge", "MCP")', '{"boosted trees": 1}', 'd["lasso"]']
)
def test_a_planted_comparison_is_seen(line):
    assert compared_by_name(line) == [1]
