"""No code outside penalties/ looks at the class of a penalty, and no penalty is missing from the door or from the laws."""

import ast
import re
from pathlib import Path

import pytest

import shrinkwise
from laws.penalties_under_test import PENALTIES
from shrinkwise import penalties
from shrinkwise.penalties import leaves

SOURCE = Path(penalties.__file__).parents[1]
CLASSES = {
    name
    for name in vars(penalties)
    if isinstance(getattr(penalties, name), type)
    and name not in ("Penalty", "Groups", "Leaf", "Pieces", "Grouped", "Folded")
}


def recognised(source: str) -> list[int]:
    """Lines that ask whether something is of a class of penalties, by isinstance, issubclass or type."""
    found = []
    for node in ast.walk(ast.parse(source)):
        asked = []
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("isinstance", "issubclass")
        ):
            asked = node.args[1:]
        elif isinstance(node, ast.Compare) and any(
            isinstance(side, ast.Call) and isinstance(side.func, ast.Name) and side.func.id == "type"
            for side in (node.left, *node.comparators)
        ):
            asked = [node.left, *node.comparators]
        names = {n.id for each in asked for n in ast.walk(each) if isinstance(n, ast.Name)}
        names |= {n.attr for each in asked for n in ast.walk(each) if isinstance(n, ast.Attribute)}
        if names & CLASSES:
            found.append(node.lineno)
    return found


def test_no_penalty_is_recognised_by_its_class_outside_penalties():
    files = [file for file in SOURCE.rglob("*.py") if "penalties" not in file.relative_to(SOURCE).parts]
    found = {str(file.relative_to(SOURCE)): recognised(file.read_text(encoding="utf-8")) for file in files}
    assert {file: lines for file, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line", ["isinstance(p, sw.L1)", "type(p) is GroupLasso", "type(p) in (MCP, SCAD)", "issubclass(c, Sum)"]
)
def test_a_planted_check_is_seen(line):
    assert recognised(line) == [1]


def public():
    """The penalty classes behind the door that live in a room: class -> file."""
    classes = [getattr(penalties, name) for name in set(penalties.__all__) - {"Groups", "Penalty"}]
    return {c: c.__module__.removeprefix(f"{penalties.__name__}.") for c in classes}


def test_every_file_of_a_penalty_is_behind_the_door():
    """A file in a room that defines a prox or a projection holds a penalty."""
    rooms = [folder for folder in (SOURCE / "penalties").iterdir() if folder.is_dir() and folder.name != "__pycache__"]
    files = {f"{f.parent.name}.{f.stem}": f.read_text(encoding="utf-8") for r in rooms for f in r.glob("[!_]*.py")}
    defining = {name for name, text in files.items() if re.search(r"^    def (prox|project)\(", text, re.MULTILINE)}
    assert len(defining) > 15
    assert defining - set(public().values()) == set()


def test_every_penalty_behind_the_door_is_under_the_laws():
    tested = {type(leaf.penalty) for make in PENALTIES.values() for leaf in leaves(make())}
    assert {c.__name__ for c in public()} - {c.__name__ for c in tested} == {
        "Constraint"
    }  # the base class of the others


def test_every_penalty_behind_the_door_is_a_public_name():
    for name in penalties.__all__:
        assert getattr(shrinkwise, name) is getattr(penalties, name)
        assert name in dir(shrinkwise)
        assert name in shrinkwise.__all__
