"""Penalties of groups, structure and constraints under test: (name, builder for a weight of shape (3, 4)), as in PENALTIES."""

import numpy as np

import shrinkwise as sw

_LABELS = np.array([0, 0, 1, -1])
_BLOCKS = {"age": [0], "colour": [1, 3]}
_LOW, _HIGH = np.linspace(-2.0, 0.5, 12).reshape(3, 4), np.linspace(-1.0, 3.0, 12).reshape(3, 4)

GROUPED = {
    "GroupLasso heads": lambda: sw.GroupLasso(0.5, sw.Groups.heads(2, axis=1)),
    "GroupLasso named blocks": lambda: sw.GroupLasso(0.5, sw.Groups.from_indices(_BLOCKS, 4)),
    "SparseGroupLasso columns": lambda: sw.SparseGroupLasso(0.6, sw.Groups.columns()),
    "SparseGroupLasso labels": lambda: sw.SparseGroupLasso(0.6, _LABELS, 0.3),
    "SparseGroupLasso weighted": lambda: sw.SparseGroupLasso(0.6, sw.Groups.rows(), 0.7, weights=[1.0, 0.0, 2.0]),
    "SparseGroupLasso at ratio 0": lambda: sw.SparseGroupLasso(0.6, _LABELS, 0.0),
    "SparseGroupLasso at ratio 1": lambda: sw.SparseGroupLasso(0.6, _LABELS, 1.0),
    "GroupMCP columns": lambda: sw.GroupMCP(0.5, sw.Groups.columns()),
    "GroupMCP labels": lambda: sw.GroupMCP(0.5, _LABELS, gamma=1.5),
    "Hierarchical": lambda: sw.Hierarchical(0.8, M=0.7),
    "Hierarchical, two outputs": lambda: sw.Hierarchical(0.8, M=2.0, n_skip=2),
}
STRUCTURED = {
    "FusedLasso": lambda: sw.FusedLasso(0.6),
    "FusedLasso sparse": lambda: sw.FusedLasso(0.6, 0.4),
    "FusedLasso at ratio 1": lambda: sw.FusedLasso(0.6, 1.0),
    "SLOPE": lambda: sw.SLOPE(0.4),
    "SLOPE OSCAR": lambda: sw.SLOPE(0.1, weights=1.0 + 0.5 * np.arange(12)[::-1]),
    "SLOPE maximum norm": lambda: sw.SLOPE(0.7, weights=np.eye(12)[0]),
    "NuclearNorm": lambda: sw.NuclearNorm(0.7),
}
CONSTRAINTS = {
    "NonNegative": lambda: sw.NonNegative(),
    "Box": lambda: sw.Box(-0.5, 2.0),
    "Box an entry": lambda: sw.Box(_LOW, _HIGH),
    "L1Ball": lambda: sw.L1Ball(2.5),
    "L2Ball": lambda: sw.L2Ball(1.5),
    "Simplex": lambda: sw.Simplex(2.0),
    "MaxNorm": lambda: sw.MaxNorm(1.5),
    "MaxNorm columns": lambda: sw.MaxNorm(1.5, axis=1),
    "TopK": lambda: sw.TopK(4),
    "RowSparsity": lambda: sw.RowSparsity(2),
}
STRUCTURED_PENALTIES = {**GROUPED, **STRUCTURED, **CONSTRAINTS}

_MOVES = "test_what_is_called_unpenalised_is_what_the_prox_leaves_alone"
REASONS = {
    (name, _MOVES): "which entries move depends on their rank: the largest of the law's probe never do"
    for name in ("TopK", "RowSparsity")
}
