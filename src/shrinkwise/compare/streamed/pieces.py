"""Finished sums of the parts of a source on disk, so that an interrupted pass goes on with the part that it was at."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from shrinkwise.compare.scoring.journal import put_piece


@dataclass(frozen=True)
class PartSums:
    """The arrays of each part, under a name for the pass and a key that is equal for runs that can share them.

    Without a folder nothing is stored.
    """

    folder: Path | None = None
    key: str = ""

    def get(self, name: str, part: int) -> dict[str, np.ndarray] | None:
        """The arrays of a part, if they are stored under this key."""
        if self.folder is None:
            return None
        try:
            with np.load(io.BytesIO((self.folder / f"{name}-{part}.npz").read_bytes()), allow_pickle=False) as stored:
                found = dict(stored)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        return found if str(found.pop("key")) == self.key else None

    def put(self, name: str, part: int, arrays: dict[str, np.ndarray]) -> None:
        """Store the arrays of a part; the file is complete or absent."""
        if self.folder is None:
            return
        buffer = io.BytesIO()
        np.savez(buffer, key=np.array(self.key), **arrays)  # type: ignore[arg-type]
        self.folder.mkdir(exist_ok=True)
        put_piece(self.folder, f"{name}-{part}.npz", buffer.getvalue())


@dataclass(frozen=True)
class StoredPass:
    """The contributions of one pass in the pieces: a store of `reduce_rows`, by conversions to arrays and back."""

    pieces: PartSums
    name: str
    to_arrays: Callable[[Any], dict[str, np.ndarray]]
    of_arrays: Callable[[dict[str, np.ndarray]], Any]

    def get(self, part: int) -> tuple[Any, int] | None:
        """The contribution of a part and its number of rows, if they are stored."""
        found = self.pieces.get(self.name, part)
        return None if found is None else (self.of_arrays(found), int(found["n_rows"]))

    def of_whole(self) -> StoredPass:
        """The store of the sum of all parts, as its part 0."""
        return replace(self, name=f"{self.name}-of-all")

    def put(self, part: int, contribution: Any, n_rows: int) -> None:
        """Store them; a part without rows is not stored."""
        if n_rows and self.pieces.folder is not None:
            self.pieces.put(self.name, part, {"n_rows": np.array(n_rows), **self.to_arrays(contribution)})
