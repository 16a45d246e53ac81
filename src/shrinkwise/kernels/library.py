"""The shared library of compiled kernels: found once, loaded by ctypes, each function declared by the module that uses it."""

from __future__ import annotations

import ctypes
import os
import sys
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from shrinkwise import __version__

F64: type = np.ctypeslib.ndpointer(np.float64, flags="C_CONTIGUOUS")
I64: type = np.ctypeslib.ndpointer(np.int64, flags="C_CONTIGUOUS")

# name -> (reference, compiled); no reference where the formula belongs to the only caller, who then asks `library` first
DISPATCH: dict[str, tuple[Callable | None, Callable]] = {}
_signatures: dict[str, tuple] = {"sw_simd_level": (ctypes.c_int64, ()), "sw_version": (ctypes.c_char_p, ())}
_layouts: dict[str, list[int]] = {}


def declare(name: str, restype, *argtypes) -> None:
    """State the C signature of an exported function; it is applied when the library is loaded."""
    _signatures[name] = (restype, argtypes)


def layout(name: str, record) -> None:
    """State that the exported function `name` reports the layout of `record`, a ctypes.Structure or a NumPy dtype."""
    if isinstance(record, np.dtype):
        offsets = [record.fields[field][1] for field in record.names]  # type: ignore[index, union-attr]
        _layouts[name] = [record.itemsize, *offsets]
    else:
        _layouts[name] = [ctypes.sizeof(record), *(getattr(record, field).offset for field, _ in record._fields_)]
    declare(name, None, ctypes.c_void_p)


def register(name: str, reference: Callable, compiled: Callable) -> None:
    """Enter a kernel into the dispatch table: the formula, and the compiled function with the same signature."""
    DISPATCH[name] = (reference, compiled)


def run(name: str, *arguments):
    """Call a kernel: compiled where the library is loaded, else its reference."""
    return DISPATCH[name][library() is not None](*arguments)  # type: ignore[misc]


def library() -> ctypes.CDLL | None:
    """The loaded library, or None."""
    return find()[0]


def loaded_library() -> ctypes.CDLL:
    """The loaded library, for a kernel that `run` has selected because it is available."""
    loaded, reason = find()
    if loaded is None:
        raise RuntimeError(f"Expected the compiled kernels to be loaded: {reason}; call the kernel by `run`")
    return loaded


def _check(loaded: ctypes.CDLL) -> None:
    """Raise OSError for a library of another version of the package, or with other record layouts."""
    built_for = loaded.sw_version().decode()
    if built_for != __version__:
        raise OSError(f"The library was built for shrinkwise {built_for}, but this is {__version__}")
    for name, expected in _layouts.items():
        reported = np.full(256, -1, dtype=np.int64)  # more than any record has fields
        getattr(loaded, name)(reported.ctypes.data)
        if reported[: len(expected)].tolist() != expected or reported[len(expected)] != -1:
            raise OSError(f"The layout of {name} differs from its declaration in Python")


@cache
def find() -> tuple[ctypes.CDLL | None, str]:
    """(library, its path), or (None, the reason)."""
    if os.environ.get("SHRINKWISE_NO_KERNELS"):
        return None, "hidden by SHRINKWISE_NO_KERNELS"
    file = Path(__file__).with_name("_shrinkwise.pyd" if sys.platform == "win32" else "_shrinkwise.so")
    if not file.exists():
        return None, "not built (no C compiler when shrinkwise was installed?): reinstall with a C compiler on the PATH"
    try:
        loaded = ctypes.CDLL(str(file))
        for name, (restype, argtypes) in _signatures.items():
            function = getattr(loaded, name)
            function.restype, function.argtypes = restype, argtypes
        _check(loaded)
    except (OSError, AttributeError) as error:
        reason = f"{file.name} does not load: {error}; reinstall shrinkwise to build it again"
        warnings.warn(f"the compiled kernels are not used, all is slower: {reason}", RuntimeWarning, stacklevel=2)
        return None, reason
    return loaded, str(file)
