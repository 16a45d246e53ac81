"""The one list of penalties under test: (name, builder for a weight of shape (3, 4))."""

import numpy as np

import shrinkwise as sw

SHAPE = (3, 4)
_C = np.array([[1.0, 0.5, 0.0, 2.0], [0.3, 1.0, 1.0, 0.0], [1.0, 2.0, 0.1, 1.0]])
_LABELS = np.array([0, 0, 1, -1])

PENALTIES = {
    "L1": lambda: sw.L1(0.7),
    "L1 at lam 0": lambda: sw.L1(0.0),
    "L1 weighted": lambda: sw.L1(0.7, weights=_C),
    "L2": lambda: sw.L2(0.4),
    "L2 weighted": lambda: sw.L2(0.4, weights=_C),
    "ElasticNet": lambda: sw.ElasticNet(0.8, 0.3),
    "ElasticNet weighted": lambda: sw.ElasticNet(0.8, 0.3, weights=_C),
    "ElasticNet at ratio 1": lambda: sw.ElasticNet(0.8, 1.0),
    "ElasticNet at ratio 0": lambda: sw.ElasticNet(0.8, 0.0),
    "GroupLasso columns": lambda: sw.GroupLasso(0.5, sw.Groups.columns()),
    "GroupLasso rows": lambda: sw.GroupLasso(0.5, sw.Groups.rows(), weights=np.array([1.0, 0.0, 2.0])),
    "GroupLasso labels": lambda: sw.GroupLasso(0.5, _LABELS),
    "GroupLasso entry labels": lambda: sw.GroupLasso(0.5, np.array([[0, 0, 1, 1], [2, 2, 2, -1], [0, 3, 3, 3]])),
    "L1 + L2": lambda: sw.L1(0.3) + sw.L2(0.2),
    "L1 + group": lambda: sw.L1(0.2) + sw.GroupLasso(0.3, sw.Groups.columns()),
    "L1 + L2 + group labels": lambda: sw.L1(0.2) + sw.L2(0.1) + sw.GroupLasso(0.3, _LABELS),
    "2 * (L1 + fixed L2)": lambda: 2.0 * (sw.L1(0.3) + sw.L2(0.2).fixed()),
    "weighted L2 + group": lambda: sw.L2(0.3, weights=_C) + sw.GroupLasso(0.3, sw.Groups.columns()),
}
