"""The effect of a model's weight decay, penalties and dropout: `audit` and its detectors, one file each.

The function and its package share a name. `shrinkwise.audit` and `shrinkwise.networks.audit` are the function, with
`groups`, `record` and `assert_regularized` as attributes; importing the package by its own name may replace the
function by the package, which is therefore callable too: in both cases ``audit(model)`` and ``audit.groups(model,
0.1)`` work.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING

from . import api
from .api import assert_regularized
from .evidence.record import Record, record
from .subject.finding import Audit, Finding
from .subject.groups import groups

__all__ = ["Audit", "Finding", "Record", "assert_regularized", "audit", "groups", "record"]


class _Called(ModuleType):
    """A package that is called as its function."""

    __call__ = staticmethod(api.audit)


sys.modules[__name__].__class__ = _Called
for _value in (Audit, Finding, Record, assert_regularized, groups, record):
    setattr(api.audit, _value.__name__, _value)

if TYPE_CHECKING:

    class _Function:
        """The function with its attributes, as a type checker can read it."""

        Audit, Finding, Record = Audit, Finding, Record
        __call__ = staticmethod(api.audit)
        assert_regularized, groups, record = (
            staticmethod(assert_regularized),
            staticmethod(groups),
            staticmethod(record),
        )

    audit = _Function()
else:
    audit = api.audit
