"""The site: its reference has every public name, and its pictures and commands are those of the library."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PUBLIC = (
    *(
        "",
        "linear",
        "linear.losses",
        "networks",
        "networks.audit",
        "dropout",
        "dropout.functional",
        "optim",
        "selection",
    ),
    *("tables", "streaming", "models", "service", "compare", "report", "kernels", "figures"),
)


def referenced() -> dict[str, str]:
    """{full name: page} of every name in an autosummary of docs/reference."""
    found = {}
    for page in sorted((DOCS / "reference").glob("*.rst")):
        module = ""
        for line in page.read_text(encoding="utf-8").splitlines():
            if line.startswith(".. currentmodule::"):
                module = line.split()[-1]
            elif re.fullmatch(r"   [\w.]+", line) and module:
                found[f"{module}.{line.strip()}"] = page.stem
    return found


def resolved(name: str):
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def missing(names: dict[str, str]) -> list[str]:
    """The public names whose object is not in the reference under any of its names."""
    known = {id(resolved(name)) for name in names}
    absent = []
    for part in PUBLIC:
        module = importlib.import_module(".".join(["shrinkwise", *filter(None, [part])]))
        for name in module.__all__:
            value = getattr(module, name)
            if not (name in ("__version__", "audit") or inspect.ismodule(value) or id(value) in known):
                absent.append(f"{module.__name__}.{name}")
    return absent


def test_the_reference_has_every_public_name():
    pytest.importorskip("torch")
    names = referenced()
    assert len(names) > 200
    assert missing(names) == []
    assert "shrinkwise.audit" in names  # a function or its package, which have the same name


def test_a_name_that_is_missing_is_found():
    pytest.importorskip("torch")
    names = referenced()
    assert missing({name: page for name, page in names.items() if name != "shrinkwise.L1"}) == ["shrinkwise.L1"]


def test_every_folder_with_public_names_is_in_the_list():
    for init in sorted((ROOT / "src" / "shrinkwise").glob("*/__init__.py")):
        if any(line.startswith("__all__") for line in init.read_text(encoding="utf-8").splitlines()):
            assert init.parent.name in {part.split(".")[0] for part in (*PUBLIC, "penalties")}, init.parent.name


def test_every_command_is_in_the_reference():
    from shrinkwise.cli import cli

    text = (DOCS / "reference" / "commands.rst").read_text(encoding="utf-8")
    assert set(re.findall(r"command-help:: (\w+)", text)) == set(cli.commands)


def test_the_ten_pictures_are_the_first_examples_of_the_gallery():
    tree = ast.parse((DOCS / "site_parts.py").read_text(encoding="utf-8"))
    listed = next(node for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "TEN_PICTURES")
    names = eval(ast.unparse(listed.value), {})
    page = (DOCS / "learn" / "pictures.md").read_text(encoding="utf-8")
    assert names == re.findall(r"sphx_glr_plot_(\w+)_001\.png", page)
    assert names == re.findall(r"\[Code\]\(\.\./gallery/pictures/plot_(\w+)\)", page)
    assert len(names) == 10


def test_make_test_does_not_install_the_tools_of_the_site():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert "sphinx" not in re.search(r"^dev = .*", project, flags=re.MULTILINE)[0]
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").split("$(VENV)/.test:")[1].split("\n\n")[0]
    assert "docs" not in recipe


@pytest.mark.thorough
def test_the_site_builds_without_a_warning_and_its_links_work(tmp_path):
    pytest.importorskip("sphinx_gallery")
    command = [sys.executable, "-m", "sphinx", "--builder", "html", "--quiet", "--fail-on-warning", DOCS, tmp_path]
    built = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    checked = subprocess.run(
        [sys.executable, str(DOCS / "check_site.py"), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
