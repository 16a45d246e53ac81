"""The house rules: who imports whom, what an import loads, how long a file and a function may grow."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "shrinkwise"
FLOORS = [
    "kernels",
    "figures",
    "penalties",
    "selection",
    "linear",
    "networks",
    "dropout",
    "tables",
    "report",
    "compare",
    "cli",
]
APART = {"linear", "networks", "dropout"}  # these three know nothing of each other
MODULES = sorted(SOURCE.rglob("*.py"))


def imported_folders(path):
    """Folders of the package that a module imports, at any depth of the file."""
    package = path.relative_to(SOURCE.parent).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level]) if node.level else []
            module = (node.module or "").split(".") if node.module else []
            names = [base + module + [alias.name] for alias in node.names]
        else:
            continue
        for name in names:
            if name[0] == "shrinkwise" and len(name) > 1 and name[1] in FLOORS:
                yield name[1]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_module_imports_only_from_floors_below_its_own(path):
    home = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    if home not in FLOORS:
        return  # the package's own door and __main__ may open every room
    allowed = set(FLOORS[: FLOORS.index(home) + 1]) - (APART - {home} if home in APART else set())
    if home in ("kernels", "figures"):
        allowed = {home}
    assert set(imported_folders(path)) <= allowed


def test_the_import_rule_sees_relative_and_absolute_imports():
    path = SOURCE / "linear" / "cross_validation.py"
    assert {"penalties", "selection"} <= set(imported_folders(path))


@pytest.mark.parametrize("module", ["shrinkwise", "shrinkwise.cli", "shrinkwise.penalties"])
def test_importing_loads_nothing_heavy(module):
    heavy = {"torch", "sklearn", "scipy", "polars", "pandas", "matplotlib"}
    code = f"import sys, {module}; print(sorted({heavy!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_every_public_name_resolves_and_says_what_it_is():
    pytest.importorskip("torch")
    import shrinkwise

    for name in dir(shrinkwise):
        assert getattr(shrinkwise, name) is not None
        assert name == "__version__" or getattr(shrinkwise, name).__doc__
    with pytest.raises(AttributeError, match="no public name 'lasso'"):
        shrinkwise.lasso  # noqa: B018


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_files_and_functions_fit_in_the_head(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 350
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            size = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert size <= 50, f"{node.name} has {size} lines"
