"""What a type checker sees through the doors whose names are resolved on first use."""

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import shrinkwise

SOURCE = Path(shrinkwise.__file__).parent
DOORS = [path for path in sorted(SOURCE.glob("*/__init__.py")) if "def __getattr__" in path.read_text(encoding="utf-8")]


def imported(nodes, here=True):
    """Name -> module of the relative imports among some statements, or of those from other folders."""
    return {
        alias.asname or alias.name: node.module
        for node in nodes
        if isinstance(node, ast.ImportFrom)
        and (node.level == 1 if here else (node.module or "").startswith("shrinkwise."))
        for alias in node.names
    }


def is_for_checkers(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def test_the_stub_lists_every_public_name_and_every_folder():
    pytest.importorskip("torch")
    stub = ast.parse((SOURCE / "__init__.pyi").read_text(encoding="utf-8")).body
    stars = {node.module for node in stub if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"}
    assert stars == {"dropout.layers", "penalties"}
    listed = imported(ast.parse((SOURCE / "__init__.pyi").read_text(encoding="utf-8")).body)
    folders = {*shrinkwise._FOLDERS, "cli", "optim"}
    assert {name: home for name, home in listed.items() if name != "*"} == shrinkwise._WHERE | dict.fromkeys(folders)
    assert {path.parent.name for path in SOURCE.glob("*/__init__.py")} <= folders


@pytest.mark.parametrize("path", DOORS, ids=[path.parent.name for path in DOORS])
def test_a_door_shows_a_type_checker_what_it_opens_and_nothing_else(path):
    if path.parent.name == "networks":
        pytest.importorskip("torch")
    body = ast.parse(path.read_text(encoding="utf-8")).body
    door = import_module(f"shrinkwise.{path.parent.name}")
    shown = imported(each for node in body if is_for_checkers(node) for each in node.body)
    assert shown == door._WHERE
    assert sorted({*shown, *imported(body), *imported(body, here=False)}) == sorted(door.__all__)
    # With __getattr__ in sight a type checker takes any name to exist.
    assert not any(isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in body)


@pytest.mark.thorough
def test_mypy_refuses_calls_that_fail(tmp_path):
    pytest.importorskip("mypy")
    calls = {
        'sw.L1("strong")': "arg-type",
        "sw.L1(0.1, bogus=3)": "call-arg",
        "sw.fit(3, targt=5)": "call-arg",
        "sw.NoSuchThing(1)": "attr-defined",
        "sw.linear.NoSuchThing(1)": "attr-defined",
        'sw.fit("houses.csv", "price", effort="quick").predict("new.csv")': None,
        "sw.path([[1.0]], [2.0], sw.L1(0.1) + 2 * sw.L2(0.1)).lambdas": None,
        "sw.Groups.removable(1, 2)": None,
        'sw.audit(__import__("torch").nn.Linear(1, 1), step=3)': "call-arg",
        "sw.audit.grups(3)": "attr-defined",
        'sw.audit.groups(__import__("torch").nn.Linear(1, 1), 0.1)': None,
    }
    program = tmp_path / "program.py"
    program.write_text("\n".join(["import shrinkwise as sw", *calls]), encoding="utf-8")
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--follow-imports=silent",
            "--cache-dir",
            tmp_path / "cache",
            program,
        ],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(SOURCE.parent), "MYPYPATH": str(SOURCE.parent)},
        cwd=tmp_path,
    )
    found = [re.match(r"[^:]*:(\d+): error: .*\[([a-z-]+)\]$", line) for line in run.stdout.splitlines()]
    refused = {int(match[1]): match[2] for match in found if match}
    assert refused == {line: kind for line, kind in enumerate(calls.values(), 2) if kind}, run.stdout + run.stderr
