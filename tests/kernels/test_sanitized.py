"""The kernels' tests on a library built with AddressSanitizer and UndefinedBehaviorSanitizer."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLAGS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer", "-g", "-O1"]


def runtime(compiler: str, name: str) -> str:
    """Path of a sanitizer's runtime library, which must be loaded before Python; a skip where there is none."""
    found = subprocess.run([compiler, f"-print-file-name={name}"], capture_output=True, text=True).stdout.strip()
    if not Path(found).is_absolute():
        pytest.skip(f"{compiler} has no {name}")
    return found


def build(compiler: str, into: Path) -> None:
    """A copy of the package whose library is sanitized."""
    ours = shutil.ignore_patterns("_shrinkwise*", "__pycache__")
    shutil.copytree(ROOT / "src" / "shrinkwise", into / "shrinkwise", ignore=ours)
    kernels = into / "shrinkwise" / "kernels"
    version = re.search(r'__version__ = "(.+?)"', (into / "shrinkwise" / "__init__.py").read_text())[1]
    sources = sorted(map(str, (kernels / "src").rglob("*.c")))
    command = [compiler, "-shared", "-fPIC", "-std=gnu11", "-ffp-contract=fast", "-fno-math-errno", "-fopenmp-simd"]
    command += [*FLAGS, f'-DSW_VERSION="{version}"', *sources, "-lm", "-o", str(kernels / "_shrinkwise.so")]
    subprocess.run(command, check=True)


@pytest.mark.thorough
def test_kernels_touch_no_memory_but_their_own_and_nothing_undefined(tmp_path):
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C compiler on Linux")
    preloaded = [runtime(compiler, name) for name in ("libasan.so", "libubsan.so", "libstdc++.so")]
    build(compiler, tmp_path)
    paths = [str(tmp_path), str(ROOT / "tests")]
    environment = {
        **os.environ,
        "LD_PRELOAD": " ".join(preloaded),
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONDONTWRITEBYTECODE": "1",
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0",  # Python itself frees little at its end
        "OMP_NUM_THREADS": "2",
    }
    loaded = "import shrinkwise.kernels.library as l; print(l.library()._name)"
    where = subprocess.run([sys.executable, "-c", loaded], env=environment, capture_output=True, text=True, check=True)
    assert where.stdout.strip() == str(tmp_path / "shrinkwise" / "kernels" / "_shrinkwise.so")
    options = ["-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)]
    here = Path(__file__)
    run = [sys.executable, "-m", "pytest", *options, str(here.parent), f"--ignore={here}"]
    done = subprocess.run(run, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    assert "ERROR: AddressSanitizer" not in done.stderr
