"""What weight decay, penalties and dropout of a model really do: `audit` and its detectors, one file each.

`shrinkwise.networks` and `shrinkwise` export the function under the name of this package, with `groups`, `record` and
`assert_regularized` as attributes: ``sw.audit(model)``, ``sw.audit.groups(model, 0.1)``. ``from shrinkwise.networks.audit
import ...`` finds this package.
"""

from .api import assert_regularized, audit
from .evidence.record import Record, record
from .subject.finding import Audit, Finding
from .subject.groups import groups

__all__ = ["Audit", "Finding", "Record", "assert_regularized", "audit", "groups", "record"]
