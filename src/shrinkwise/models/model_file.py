"""The file of a model: plain data in model.json, and its arrays beside it in model.npz. No code and no pickles."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from shrinkwise.tables import InputError

FORMAT, SCHEMA = "shrinkwise model", 2  # 2: with the intervals of the predictions
_READABLE = (1, 2)


def write_model(path: Path, data: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Write `data` to `path`, a file .json, and the arrays beside it; the first holds the SHA-256 of the second."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    stored = path.with_suffix(".npz")
    head = {"format": FORMAT, "schema": SCHEMA, "arrays": hashlib.sha256(buffer.getvalue()).hexdigest()}
    stored.write_bytes(buffer.getvalue())
    path.write_text(json.dumps({**head, **data}, ensure_ascii=False, allow_nan=False), encoding="utf-8", newline="\n")


def read_model(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The data and the arrays of a model file; InputError unless they are a pair written by `write_model`."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise InputError(f"{path} is not a model written by shrinkwise fit.")
        if data.get("schema") not in _READABLE:
            raise InputError(
                f"{path} has the schema {data.get('schema')!r}, but this version of shrinkwise reads up to {SCHEMA}; "
                "use the version that wrote it, or run shrinkwise fit again."
            )
        stored = path.with_suffix(".npz").read_bytes()
        if hashlib.sha256(stored).hexdigest() != data.get("arrays"):
            raise InputError(f"{path.with_suffix('.npz')} is damaged or does not belong to {path.name} (SHA-256).")
        with np.load(io.BytesIO(stored), allow_pickle=False) as arrays:
            found = dict(arrays)
        wrong = [name for name, array in found.items() if array.dtype.kind not in "biuf"]
        if wrong:
            raise InputError(
                f"{path.with_suffix('.npz')} is damaged: its array {wrong[0]!r} does not hold real numbers."
            )
        return data, found
    except FileNotFoundError as error:
        raise InputError(f"The file {error.filename}, which is part of the model, does not exist.") from None
    except InputError:
        raise
    except (ValueError, EOFError, KeyError, RecursionError, zipfile.BadZipFile) as error:
        raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> InputError:
    """The error for a damaged or foreign file."""
    return InputError(f"{path} is damaged or not a shrinkwise model ({type(error).__name__}: {error}).")
