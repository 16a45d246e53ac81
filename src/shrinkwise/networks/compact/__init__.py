"""A smaller network without the channels, units and heads that do not affect the outputs."""

from .api import compact
from .proof import Proof
from .removable import Removable, RemovableGroup, removable

__all__ = ["Proof", "Removable", "RemovableGroup", "compact", "removable"]
