"""The effect of a model's weight decay, penalties and dropout: `audit` and its detectors, one file each.

The function and its package share a name. `shrinkwise.audit` and `shrinkwise.networks.audit` are the function, with
`groups`, `record` and `assert_regularized` as attributes; importing the package by its own name may replace the
function by the package, which is therefore callable too: in both cases ``audit(model)`` and ``audit.groups(model,
0.1)`` work.
"""

import sys
from types import ModuleType

from .api import assert_regularized, audit
from .evidence.record import Record, record
from .subject.finding import Audit, Finding
from .subject.groups import groups

__all__ = ["Audit", "Finding", "Record", "assert_regularized", "audit", "groups", "record"]


class _Called(ModuleType):
    """A package that is called as its function."""

    __call__ = staticmethod(audit)


sys.modules[__name__].__class__ = _Called
for _value in (Audit, Finding, Record, assert_regularized, groups, record):
    setattr(audit, _value.__name__, _value)
