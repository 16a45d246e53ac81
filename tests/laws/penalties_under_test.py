"""The one list of penalties under test: (name, builder for a weight of shape (3, 4))."""

import numpy as np

import shrinkwise as sw
from shrinkwise.penalties import Penalty

SHAPE = (3, 4)
_C = np.array([[1.0, 0.5, 0.0, 2.0], [0.3, 1.0, 1.0, 0.0], [1.0, 2.0, 0.1, 1.0]])
_M = np.array([[0.0, 0.5, -1.0, 0.25], [1.5, 0.0, 0.0, -0.5], [2.0, -0.125, 0.75, 1.0]])
_LABELS = np.array([0, 0, 1, -1])


class Huber(Penalty):
    """As a user would write it: λ Σ h(w_j), h(w) = ½w² for |w| ≤ 1, |w| − ½ beyond."""

    def __init__(self, lam):
        self.lam = lam

    def value(self, w):
        inside = w.clip(-1, 1)
        return self.lam * (inside * w - 0.5 * inside * inside).sum()

    def prox(self, w, step):
        s = step * self.lam
        return w - s * (w / (1 + s)).clip(-1, 1)


def _smooth(w):
    return (w * w + 0.25).sqrt().sum()


PENALTIES = {
    "L1": lambda: sw.L1(0.7),
    "L1 at lam 0": lambda: sw.L1(0.0),
    "L1 weighted": lambda: sw.L1(0.7, weights=_C),
    "L1 anchored": lambda: sw.L1(0.7, anchor=_M),
    "L1 weighted, anchored": lambda: sw.L1(0.7, weights=_C, anchor=_M),
    "L2": lambda: sw.L2(0.4),
    "L2 weighted": lambda: sw.L2(0.4, weights=_C),
    "L2 anchored": lambda: sw.L2(0.4, anchor=_M),
    "L2 weighted, anchored": lambda: sw.L2(0.4, weights=_C, anchor=_M),
    "ElasticNet": lambda: sw.ElasticNet(0.8, 0.3),
    "ElasticNet weighted": lambda: sw.ElasticNet(0.8, 0.3, weights=_C),
    "ElasticNet at ratio 1": lambda: sw.ElasticNet(0.8, 1.0),
    "ElasticNet at ratio 0": lambda: sw.ElasticNet(0.8, 0.0),
    "MCP": lambda: sw.MCP(0.7),
    "MCP weighted": lambda: sw.MCP(0.7, 1.7, weights=_C),
    "SCAD": lambda: sw.SCAD(0.45),
    "SCAD weighted": lambda: sw.SCAD(0.45, 2.3, weights=_C),
    "L0": lambda: sw.L0(0.31),
    "L0 weighted": lambda: sw.L0(0.31, weights=_C),
    "1.7 * SCAD": lambda: 1.7 * sw.SCAD(0.45),
    "GroupLasso columns": lambda: sw.GroupLasso(0.5, sw.Groups.columns()),
    "GroupLasso rows": lambda: sw.GroupLasso(0.5, sw.Groups.rows(), weights=np.array([1.0, 0.0, 2.0])),
    "GroupLasso labels": lambda: sw.GroupLasso(0.5, _LABELS),
    "GroupLasso entry labels": lambda: sw.GroupLasso(0.5, np.array([[0, 0, 1, 1], [2, 2, 2, -1], [0, 3, 3, 3]])),
    "L1 + L2": lambda: sw.L1(0.3) + sw.L2(0.2),
    "L1 + group": lambda: sw.L1(0.2) + sw.GroupLasso(0.3, sw.Groups.columns()),
    "L1 + L2 + group labels": lambda: sw.L1(0.2) + sw.L2(0.1) + sw.GroupLasso(0.3, _LABELS),
    "2 * (L1 + fixed L2)": lambda: 2.0 * (sw.L1(0.3) + sw.L2(0.2).fixed()),
    "weighted L2 + group": lambda: sw.L2(0.3, weights=_C) + sw.GroupLasso(0.3, sw.Groups.columns()),
    "full weighted L2 + L1 + group": lambda: (
        sw.L2(0.3, weights=_C + 0.1) + sw.L1(0.1) + sw.GroupLasso(0.3, sw.Groups.columns())
    ),
    "group + L2 towards a point": lambda: sw.GroupLasso(0.3, _LABELS) + sw.L2(0.2, anchor=_M),
    "L1 + L1 towards a point": lambda: sw.L1(0.3) + sw.L1(0.4, anchor=_M),
    "three anchors and L2": lambda: (
        sw.L1(0.2) + sw.L1(0.3, anchor=_M) + sw.L1(0.1, anchor=-_M, weights=_C) + sw.L2(0.1)
    ),
    "L1 + NonNegative": lambda: sw.L1(0.3) + sw.NonNegative(),
    "L1 + L2 towards a point in a Box": lambda: sw.L1(0.3) + sw.L2(0.2, anchor=_M) + sw.Box(-0.5, _M + 2.0),
    "group + NonNegative": lambda: sw.GroupLasso(0.3, _LABELS) + sw.NonNegative(),
    "MCP + L2": lambda: sw.MCP(0.7) + sw.L2(0.15),
    "2 * (SCAD + L1 weighted)": lambda: 2.0 * (sw.SCAD(0.3) + sw.L1(0.2, weights=_C)),
    "L0 + L1 + L2 weighted": lambda: sw.L0(0.31) + sw.L1(0.2) + sw.L2(0.1, weights=_C),
    "L1 + total variation in a Box": lambda: sw.FusedLasso(0.4) + sw.L1(0.2) + sw.Box(-1.0, 2.0) + sw.L2(0.1),
    "SLOPE + L1": lambda: sw.SLOPE(0.1, weights=1.0 + 0.5 * np.arange(12)[::-1]) + sw.L1(0.2),
    "L1 on a slice": lambda: sw.L1(0.7).on(slice(1, 3)),
    "group on columns + L1 on the rest": lambda: (
        sw.GroupLasso(0.5, sw.Groups.columns()).on((slice(None), slice(0, 2))) + sw.L1(0.4).on((slice(None), [2, 3]))
    ),
    "MCP on a row + L0 on another + L2": lambda: sw.MCP(0.7).on(0) + sw.L0(0.31).on(2) + sw.L2(0.1),
    "user's Huber": lambda: Huber(0.6),
    "user's Huber + L2": lambda: Huber(0.6) + sw.L2(0.2),
    "from a function": lambda: Penalty.from_function(_smooth, 0.6, elementwise=True),
}

# (penalty, law): why the law does not apply, where the reason cannot be asked of the penalty.
REASONS: dict[tuple[str, str], str] = {}

try:
    from laws import structured_under_test as structured
except ImportError:
    structured = None
PENALTIES.update(getattr(structured, "STRUCTURED_PENALTIES", {}))
REASONS.update(getattr(structured, "REASONS", {}))
