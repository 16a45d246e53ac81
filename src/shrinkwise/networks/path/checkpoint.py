"""Storage of a path's progress: in memory, or in a folder from which an interrupted path resumes."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import torch


class Shelf:
    """Plain states by name, in memory. An interrupted path starts again."""

    survives = False

    def __init__(self):
        self._kept: dict[str, dict] = {}

    def put(self, name: str, state: dict) -> None:
        """Keep a state (numbers, texts, tensors, lists and dictionaries of them), in place of an older one."""
        self._kept[name] = state

    def get(self, name: str) -> dict | None:
        """The state of this name, None where there is none."""
        return self._kept.get(name)


class Folder(Shelf):
    """The same in files. A file is whole or not there: written beside its place, flushed, then renamed into it.

    Parameters
    ----------
    folder : path of a new folder, or of one that the same path was started in
    mark : str
        Fingerprint of data and settings; a folder with another fingerprint is an error.
    """

    survives = True

    def __init__(self, folder, mark: str):
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        for left_over in self._folder.glob("*.tmp"):
            left_over.unlink()
        begun = self.get("path")
        if begun is None and any(self._folder.iterdir()):
            raise ValueError(f"{folder} contains other files; pass a new or empty folder as folder=")
        if begun is None:
            self.put("path", {"mark": mark})
        elif begun["mark"] != mark:
            raise ValueError(
                f"The path in {folder} was started with different data, model or settings; pass a new folder as "
                "folder= or use the same data and settings"
            )

    def put(self, name: str, state: dict) -> None:
        """Keep a state on the disk."""
        place = self._folder / f"{name}.pt"
        beside = place.with_suffix(".tmp")
        with beside.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(place)

    def get(self, name: str) -> dict | None:
        """The state of this name from the disk, None where there is none."""
        place = self._folder / f"{name}.pt"
        return torch.load(place, map_location="cpu", weights_only=True) if place.exists() else None


def fingerprint(*parts) -> str:
    """A hash of tensors (dtype, shape and values), and of anything else by its repr."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, torch.Tensor):
            flat = part.detach().cpu().contiguous().reshape(-1)
            digest.update(f"{part.dtype}{tuple(part.shape)}".encode())
            digest.update(flat.view(torch.uint8).numpy().tobytes())
        else:
            digest.update(repr(part).encode())
        digest.update(b"|")
    return digest.hexdigest()
