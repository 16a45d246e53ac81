"""Finished pieces of a comparison on the disk, so that a run that was stopped goes on where it stopped."""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
import shutil
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from polars import DataFrame

from shrinkwise.compare.options import Options
from shrinkwise.models.predictors import Usage
from shrinkwise.tables import InputError, TablePlan

from .nested import FoldResult, HeldOut

_KEY_FILE = "key.json"


def fingerprint(frame: DataFrame, plan: TablePlan, options: Options, version: str) -> str:
    """What two runs must share for the pieces of one to be those of the other: values, plan, options, version."""
    digest = hashlib.sha256(frame.hash_rows().to_numpy().tobytes())
    asked = replace(options, n_jobs=None, budget=None)
    digest.update(repr((version, list(frame.columns), plan, asdict(asked))).encode())
    return digest.hexdigest()


class Journal:
    """A folder with one file per candidate and fold; a file is there whole or not at all."""

    def __init__(self, folder: Path, key: str, *, resume: bool):
        self.folder = folder
        if resume and folder.exists() and self._key() != key:
            raise InputError(
                f"The unfinished run in {folder} is of another table, other options or another version: leave --resume out "
                "to start anew."
            )
        if not resume:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        self._put(_KEY_FILE, json.dumps({"key": key}).encode())

    def get(self, candidate: str, fold: int) -> FoldResult | None:
        """The piece when it is there."""
        try:
            whole = io.BytesIO((self.folder / _name(candidate, fold)).read_bytes())
            with np.load(whole, allow_pickle=False) as stored:
                said = json.loads(str(stored["said"]))
                choices = {name: _restored(part, stored[f"output {name}"]) for name, part in said["choices"].items()}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        return FoldResult(candidate, fold, choices, said["seconds"])

    def put(self, result: FoldResult) -> None:
        """Keep a piece."""
        said = {name: asdict(replace(held, output=np.empty(0))) for name, held in result.choices.items()}
        for part in said.values():
            del part["output"]
        buffer = io.BytesIO()
        text = json.dumps({"choices": said, "seconds": result.seconds})
        outputs = {f"output {name}": held.output for name, held in result.choices.items()}
        np.savez(buffer, said=np.array(text), **outputs)  # type: ignore[arg-type]
        self._put(_name(result.candidate, result.fold), buffer.getvalue())

    def close(self) -> None:
        """The run is written: its pieces are no longer needed."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _key(self) -> str:
        try:
            return json.loads((self.folder / _KEY_FILE).read_text())["key"]
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def _put(self, name: str, data: bytes) -> None:
        staged = self.folder / f"{name}.{secrets.token_hex(4)}.new"
        with staged.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(self.folder / name)


def _name(candidate: str, fold: int) -> str:
    return f"{candidate.replace(' ', '-')}-{fold}.npz"


def _restored(part: dict, output: np.ndarray) -> HeldOut:
    usage = None if part["usage"] is None else Usage(**part["usage"])
    return HeldOut(**{**part, "usage": usage, "output": output})
