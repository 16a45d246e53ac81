"""Builds the C kernels as a plain shared library with a C ABI (no Python headers used), loaded by ctypes.

The library is the same for every Python 3, so the wheel is tagged py3-none-<platform> and the file has no Python's name in it.
`optional=True`: without a compiler the package still installs, the reference code runs, and `shrinkwise doctor` says so.
"""

import re
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext


class BuildKernels(build_ext):
    def build_extensions(self):
        """Without the paths of the Python that builds: they would be searched wherever the library is installed."""
        linker = getattr(self.compiler, "linker_so", None)
        if linker:
            self.compiler.linker_so = [part for part in linker if not part.startswith(("-Wl,-rpath", "-L"))]
        super().build_extensions()

    def get_export_symbols(self, ext):
        return ext.export_symbols  # no PyInit_… symbol: this is not a Python module

    def get_libraries(self, ext):
        return ext.libraries  # not Python's own

    def get_ext_filename(self, fullname):
        return str(Path(*fullname.split("."))) + (".pyd" if sys.platform == "win32" else ".so")


class AnyPythonWheel(bdist_wheel):
    def get_tag(self):
        return "py3", "none", super().get_tag()[2]


source = Path("src/shrinkwise/kernels/src")
sources = sorted(str(path) for path in source.rglob("*.c"))
exported = [
    name for path in sources for name in re.findall(r"\bSW_EXPORT\b[^(;]*?\b(sw_\w+)\(", Path(path).read_text())
]
# The version stands once, in the package; the library carries it, so that a stale one is not loaded.
version = re.search(r'__version__ = "(.+?)"', Path("src/shrinkwise/__init__.py").read_text())[1]
flags = (
    ["/O2", "/std:c11"]
    if sys.platform == "win32"
    else ["-O3", "-std=gnu11", "-ffp-contract=fast", "-fno-math-errno", "-fopenmp-simd"]
)

setup(
    ext_modules=[
        Extension(
            "shrinkwise.kernels._shrinkwise",
            sources=sources,
            depends=[str(path) for path in source.rglob("*.h")],
            define_macros=[("SW_VERSION", f'"{version}"')],
            extra_compile_args=flags,
            export_symbols=exported,
            optional=True,
        )
    ],
    cmdclass={"build_ext": BuildKernels, "bdist_wheel": AnyPythonWheel},
)
