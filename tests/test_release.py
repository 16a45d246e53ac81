"""The wheel and the sdist: what they hold, and that each runs the main job outside the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import shrinkwise

ROOT = Path(__file__).parents[1]


def ran(*command, **options) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_version_stands_in_one_place():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["dynamic"] == ["version"]
    assert f"version: {shrinkwise.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_the_check_of_a_wheel_is_a_command_that_ends_without_an_error():
    """The first of those that run on every wheel, here on this package, whose kernels are compiled."""
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    start, code = tool["cibuildwheel"]["test-command"][0].split('"', 1)
    assert start == "python -c "
    assert ran(sys.executable, "-c", code.removesuffix('"'), cwd=ROOT) == ""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(wheel, sdist) of the sources that git knows, built as a user's pip builds them."""
    folder = tmp_path_factory.mktemp("release")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("needs the repository")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / "source" / name)
    script = "import sys; from setuptools import build_meta as b; print(b.build_sdist(sys.argv[1]))"
    environment(folder / "build")
    ran(folder / "build/bin/python", "-c", script, folder, cwd=folder / "source")
    (sdist,) = folder.glob("*.tar.gz")
    ran(folder / "build/bin/python", "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder, sdist, cwd=folder)
    (wheel,) = folder.glob("*.whl")
    return wheel, sdist


def environment(folder: Path) -> None:
    """A virtual environment with pip, setuptools and wheel, also where Python has no ensurepip."""
    ran(sys.executable, "-m", "venv", "--without-pip", folder)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", folder / "bin/python", "install"]
    ran(*pip, "--quiet", "--constraint", ROOT / "constraints.txt", "pip", "setuptools", "wheel")


@pytest.mark.thorough
def test_one_wheel_serves_every_python(built):
    wheel, _ = built
    assert "-py3-none-" in wheel.name
    names = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in names if "cpython" in name]
    library = "shrinkwise/kernels/_shrinkwise.pyd" if sys.platform == "win32" else "shrinkwise/kernels/_shrinkwise.so"
    assert library in names
    assert {"shrinkwise/py.typed", "shrinkwise/__init__.pyi"} <= set(names)
    if shutil.which("readelf"):
        file = zipfile.ZipFile(wheel).extract(library, wheel.parent / "unpacked")
        dynamic, symbols = ran("readelf", "-d", file), ran("readelf", "-W", "--dyn-syms", file)
        assert "RUNPATH" not in dynamic
        assert "RPATH" not in dynamic
        assert " Py" not in symbols


@pytest.mark.thorough
@pytest.mark.parametrize("compiler", [True, False], ids=["compiler", "no compiler"])
@pytest.mark.parametrize("what", ["wheel", "sdist"])
def test_it_runs_the_main_job_in_an_empty_environment(built, what, compiler, tmp_path):
    environment(tmp_path / "env")
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "CC")}
    if not compiler:
        variables["CC"] = "no-such-compiler"
    file, python = built[what == "sdist"], tmp_path / "env/bin/python"
    ran(python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", file, env=variables)
    shutil.copy2(ROOT / "examples/sonar.csv", tmp_path)
    command = [python, "-m", "shrinkwise", "fit", "sonar.csv", "--target", "object", "--effort", "quick", "--quiet"]
    said = ran(*command, "--methods", "ridge,lasso", "--out", "run", cwd=tmp_path, env=variables)
    assert "log loss" in said
    assert (tmp_path / "run/report.html").is_file()
    doctor = ran(python, "-m", "shrinkwise", "doctor", "--json", cwd=tmp_path, env=variables)
    assert ('"available": true' in doctor) == (compiler or what == "wheel")


@pytest.mark.thorough
def test_the_sdist_holds_what_its_tests_need(built):
    with tarfile.open(built[1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    listed = ran("git", "ls-files", cwd=ROOT).splitlines()
    needed = [name for name in listed if not name.startswith((".github", ".ci", ".gitignore"))]
    assert not [name for name in needed if name not in names]
