"""The house rules: who imports whom, what an import loads, how large a folder, a file and a function may grow."""

import ast
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from imports import arrows, circles, modules_in

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "shrinkwise"
# Which part of the package may import which. linear, networks and dropout know nothing of each other; the report knows no
# model; kernels, figures and selection know nothing of the package.
MAY_IMPORT = {
    "kernels": "",
    "figures": "",
    "selection": "",
    "streaming": "",
    "penalties": "kernels",
    "linear": "kernels penalties selection figures streaming",
    "networks": "kernels penalties selection figures",
    "dropout": "kernels figures",
    "tables": "selection streaming",
    "models": "tables streaming",
    "report": "",
    "compare": "kernels penalties selection linear networks dropout tables models report streaming",
    "runs": "selection tables models compare report streaming",
    "service": "selection tables models compare runs report streaming",
    "cli": "kernels tables models compare runs report networks service streaming",
    "optim": "networks",
}
MODULES = modules_in(SOURCE)
NAMES = sorted(MODULES)


def part(name):
    """The part of the package a module belongs to; None for the package's own door and __main__, which open every room."""
    found = name.split(".")[1] if "." in name else None
    return None if found == "__main__" else found


def forbidden(package):
    """The arrows that the matrix does not allow."""
    found = []
    for importer, imported in arrows(package):
        home, other = part(importer), part(imported)
        if home is not None and other is not None and home != other and other not in MAY_IMPORT[home].split():
            found.append(f"{importer} imports {imported}")
    return found


def test_every_part_has_its_line_in_the_matrix():
    assert {part(name) for name in NAMES} - {None} == set(MAY_IMPORT)


def test_only_what_the_matrix_allows_is_imported():
    assert forbidden(SOURCE) == []


def test_no_folder_has_a_circle_among_its_files_and_sub_folders():
    assert circles(SOURCE) == {}


PLANTED = [
    ("kernels/pool.py", "from shrinkwise.penalties import L1"),
    ("figures/thinned.py", "from shrinkwise import dropout"),
    ("selection/rules.py", "from shrinkwise.linear.problem.design import Design"),
    ("penalties/contract.py", "import shrinkwise.linear"),
    ("linear/certificates.py", "from shrinkwise.networks import attach"),
    ("linear/problem/design.py", "def f():\n    from shrinkwise.dropout import bits"),
    ("networks/methods/metric.py", "from ...linear.paths import api"),
    ("dropout/bits.py", "from ..networks import attach"),
    ("tables/errors.py", "from shrinkwise.compare import options"),
    ("models/predictors.py", "from shrinkwise.compare.options import Options"),
    ("report/markup.py", "if TYPE_CHECKING:\n    from shrinkwise.models import TableModel"),
    ("compare/options.py", "from shrinkwise.service import fit"),
    ("runs/folder.py", "from shrinkwise.cli import main"),
    ("service/answer.py", "from ..linear import path"),
    ("penalties/groups.py", "def f():\n    import_module('shrinkwise.networks')"),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("house") / "shrinkwise"
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("*.so", "__pycache__", "src", "assets"))
    return folder


@pytest.mark.parametrize(("file", "line"), PLANTED, ids=[file for file, _ in PLANTED])
def test_a_planted_import_is_caught(copy, file, line):
    path = copy / file
    before = path.read_text(encoding="utf-8")
    try:
        path.write_text(f"{before}\n{line}\n", encoding="utf-8")
        assert len(forbidden(copy)) == 1
    finally:
        path.write_text(before, encoding="utf-8")
    assert forbidden(copy) == []


@pytest.mark.parametrize(
    ("file", "line", "folder"),
    [
        ("penalties/array.py", "from .contract import Penalty", "shrinkwise.penalties"),
        ("linear/problem/design.py", "def f():\n    from shrinkwise.linear.paths import grid", "shrinkwise.linear"),
        ("selection/rules.py", "from shrinkwise.compare import options", "shrinkwise"),
    ],
)
def test_a_planted_circle_is_caught(copy, file, line, folder):
    path = copy / file
    before = path.read_text(encoding="utf-8")
    try:
        path.write_text(f"{before}\n{line}\n", encoding="utf-8")
        assert folder in circles(copy)
    finally:
        path.write_text(before, encoding="utf-8")


def test_a_folder_holds_at_most_twelve_files():
    crowded = {}
    for top in ("src", "tests", "benchmarks", "examples", "docs"):
        for folder in [ROOT / top, *(ROOT / top).rglob("*/")]:
            files = [each for each in folder.glob("*.*") if each.suffix in (".py", ".c", ".h", ".md", ".R")]
            files = [each for each in files if each.name != "__init__.py"]
            if len(files) > 12:
                crowded[str(folder.relative_to(ROOT))] = len(files)
    assert crowded == {}


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
    with pytest.raises(AttributeError, match="'lasso' is not a public name"):
        shrinkwise.lasso  # noqa: B018


@pytest.mark.parametrize("name", NAMES)
def test_files_and_functions_fit_in_the_head(name):
    text = MODULES[name].read_text(encoding="utf-8")
    assert text.count("\n") <= 350
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            size = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert size <= 50, f"{node.name} has {size} lines"


def test_the_architecture_page_is_drawn_from_the_code_as_it_is():
    run = runpy.run_path(str(ROOT / "docs" / "draw_architecture.py"))
    assert (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8") == run["page"](), (
        "run python docs/draw_architecture.py"
    )


# Two classes of one name, where each is what its readers look for: scikit-learn's estimators beside the penalties of the
# field, and one callback per training framework, of which a user imports one.
SHARED_NAMES = {
    "ElasticNet": ["linear.drop_in.regressors", "penalties.separable.elastic_net"],
    "PenaltyCallback": ["networks.lightning", "networks.skorch", "networks.transformers"],
}


def test_a_class_name_is_defined_once():
    found = {}
    for name, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(name.removeprefix("shrinkwise."))
    assert {name: homes for name, homes in found.items() if len(homes) > 1} == SHARED_NAMES
