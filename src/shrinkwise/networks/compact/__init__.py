"""A network without the channels, units and heads that no longer matter, with equal outputs."""

from .api import compact
from .proof import Proof
from .removable import Removable, RemovableGroup, removable

__all__ = ["Proof", "Removable", "RemovableGroup", "compact", "removable"]
