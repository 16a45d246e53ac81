"""Frames that are kept while a source is read, so that its text is parsed once: in memory, or in a temporary file."""

from __future__ import annotations

import io
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl

_SHARE = 0.5  # of the space that is free


class FrameStore(Protocol):
    """Where frames are kept."""

    def put(self, frame: pl.DataFrame) -> Any:
        """What `get` needs to return the frame; None if it is not kept."""

    def get(self, kept: Any, columns: Sequence[str]) -> pl.DataFrame:
        """These columns of a frame."""


class InMemory:
    """Frames as they are."""

    def put(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame itself."""
        return frame

    def get(self, kept: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
        """These columns of a frame."""
        return kept[list(columns)]


@dataclass(frozen=True)
class _Kept:
    """Where a frame is in the file: from byte `first` on the `height` float64 of each of the columns `plain`, which have no
    gaps and are written and read without a conversion; from `start` to `stop` the other columns in Arrow's format."""

    first: int
    start: int
    stop: int
    height: int
    plain: tuple[str, ...]


class OnDisk:
    """Frames in a file without a name, which is gone when the process ends; pickled, it is nothing (None).

    The file is in `folder`, by default that of temporary files, and takes at most half of the space that is free there.
    """

    def __init__(self, folder: Path | None = None):
        self._folder, self._size = folder, 0
        self._file: Any = None

    def put(self, frame: pl.DataFrame) -> _Kept | None:
        """The place of the frame in the file; None where there is not enough space."""
        columns = frame.get_columns()
        plain = [column for column in columns if column.dtype == pl.Float64 and not column.null_count()]
        rest = [column for column in columns if column.dtype != pl.Float64 or column.null_count()]
        buffer = io.BytesIO()
        if rest:
            pl.DataFrame(rest).write_ipc(buffer)
        start = self._size + 8 * frame.height * len(plain)
        kept = _Kept(self._size, start, start + buffer.tell(), frame.height, tuple(column.name for column in plain))
        try:
            file = self._opened()
            if kept.stop > _SHARE * (self._size + shutil.disk_usage(self._folder or tempfile.gettempdir()).free):
                return None
            file.seek(self._size)
            for column in plain:
                file.write(np.ascontiguousarray(column.to_numpy()))
            file.write(buffer.getbuffer())
            file.flush()
        except OSError:  # a disk that is full after all
            return None
        self._size = kept.stop
        return kept

    def get(self, kept: _Kept, columns: Sequence[str]) -> pl.DataFrame:
        """These columns of a frame."""
        file, found = self._opened(), dict[str, pl.Series]()
        wanted = set(columns)
        if wanted & set(kept.plain):
            file.seek(kept.first)
            values = np.fromfile(file, count=kept.height * len(kept.plain)).reshape(-1, kept.height)
            found |= _columns(pl.from_numpy(values.T, schema=list(kept.plain)))
        if wanted - set(kept.plain):
            file.seek(kept.start)
            found |= _columns(pl.read_ipc(io.BytesIO(file.read(kept.stop - kept.start))))
        return pl.DataFrame([found[name] for name in columns])

    def _opened(self) -> Any:
        if self._file is None:
            if self._folder is not None:
                self._folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=self._folder)
            weakref.finalize(self, self._file.close)
        return self._file

    def __reduce__(self):
        return type(None), ()


def _columns(frame: pl.DataFrame) -> dict[str, pl.Series]:
    return dict(zip(frame.columns, frame.get_columns(), strict=True))
