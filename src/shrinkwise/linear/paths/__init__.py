"""Solutions along λ: the path and what is computed from it."""

from __future__ import annotations

from .at_lambda import at
from .path import Path, by_lambda
from .relaxed import relaxed
from .table import to_frame

# Methods in files that import Path: bound here, once.
Path.at = at
Path.relaxed = by_lambda(relaxed)
Path.to_frame = to_frame
