"""Builds the C kernels as a plain shared library with a C ABI (no Python headers used), loaded by ctypes.

`optional=True`: without a compiler the package still installs, the reference code runs, and `shrinkwise doctor` says so.
"""

import sys

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


class BuildKernels(build_ext):
    def get_export_symbols(self, ext):
        return ext.export_symbols  # no PyInit_… symbol: this is not a Python module


flags = ["/O2"] if sys.platform == "win32" else ["-O3", "-std=gnu11", "-ffp-contract=fast", "-fno-math-errno"]

setup(
    ext_modules=[
        Extension(
            "shrinkwise.kernels._shrinkwise",
            sources=["src/shrinkwise/kernels/src/gram_cd.c", "src/shrinkwise/kernels/src/prox.c"],
            extra_compile_args=flags,
            export_symbols=["sw_gram_cd", "sw_prox", "sw_simd_level"],
            optional=True,
        )
    ],
    cmdclass={"build_ext": BuildKernels},
)
