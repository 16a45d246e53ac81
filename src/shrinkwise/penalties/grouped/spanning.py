"""Groups of entries in several tensors of a network, such as everything that produces one channel."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from shrinkwise.penalties.array import cast, double, namespace
from shrinkwise.penalties.groups import LabelledGroups


class SpanningGroups(LabelledGroups):
    """A partition of the entries of several named tensors.

    As groups of one array they are those of the vector w of all entries, the tensors one after the other, each in row-major
    order: penalty formulas see this vector. Training never makes it; see `networks.terms`.

    Parameters
    ----------
    labels : dict of int arrays
        For each tensor an array that broadcasts to its shape: the group of each entry, −1 in no group.
    shapes : dict of tuples
        The shapes of the tensors, under the same names.
    n_groups : int
        Labels are 0 … n_groups − 1.

    >>> row_and_bias = {"weight": np.array([[0], [1]]), "bias": np.array([0, 1])}
    >>> groups = SpanningGroups(row_and_bias, {"weight": (2, 3), "bias": (2,)}, 2)
    >>> groups.norms(np.array([1.0, 1.0, 1.0, 0.0, 2.0, 0.0, 1.0, 0.0])), groups.sizes((8,))
    (array([2., 2.]), array([4, 4]))
    """

    tensors: dict[str, tuple]

    def __init__(self, labels: dict[str, np.ndarray], shapes: dict[str, tuple], n_groups: int):
        self.tensors = {name: tuple(shapes[name]) for name in labels}
        self.labels_in = {name: np.asarray(given, dtype=np.int32) for name, given in labels.items()}
        self.n_groups = n_groups
        self._names, self._named = [f"group {k}" for k in range(n_groups)], False
        self.identity = tuple((name, self.tensors[name], a.shape, a.tobytes()) for name, a in self.labels_in.items())
        self._sizes = sum((self._sizes_in(name) for name in self.tensors), np.zeros(n_groups, dtype=int))
        self._layouts = {}

    @property
    def size(self) -> int:
        """Number of entries of all tensors."""
        return sum(math.prod(shape) for shape in self.tensors.values())

    @cached_property
    def labels(self) -> np.ndarray:  # type: ignore[override]
        """The group of each entry of the vector of all entries."""
        parts = [np.broadcast_to(self.labels_in[name], shape).reshape(-1) for name, shape in self.tensors.items()]
        return np.concatenate(parts)

    def within(self, names) -> tuple[SpanningGroups, np.ndarray]:
        """(the groups whose entries are all in the tensors with these names, the numbers that they had)."""
        whole = np.ones(self.n_groups + 1, bool)  # the last one is for the label −1
        for name in self.tensors.keys() - set(names):
            whole[self.labels_in[name].reshape(-1)] = False
        whole[-1] = False
        new = np.append(np.where(whole[:-1], np.cumsum(whole[:-1]) - 1, -1), -1)
        labels = {name: new[given] for name, given in self.labels_in.items() if (new[given] >= 0).any()}
        return SpanningGroups(labels, self.tensors, int(whole.sum())), np.flatnonzero(whole)

    def norms(self, w):
        """Euclidean norm of each group, shape (n_groups,); its gradient at a zero group is 0."""
        xp, labels = namespace(w), self._labels_like(w)
        squares = double(w) * double(w)
        if xp is np:
            return np.sqrt(np.bincount(labels, squares, self.n_groups + 1)[:-1]).astype(w.dtype)
        sums = squares.new_zeros(self.n_groups + 1).index_add(0, labels, squares)[:-1]
        return cast(xp.where(sums > 0, sums, xp.ones_like(sums)).sqrt() * (sums > 0), w)

    def spread(self, per_group, w, outside: float = 0.0):
        """The value of the group of each entry."""
        labels = self._labels_like(w)
        if namespace(w) is np:
            return np.append(per_group, per_group.dtype.type(outside))[labels]
        return namespace(w).cat([per_group, per_group.new_full((1,), outside)])[labels]

    def sizes(self, w):
        """Number of entries of each group, in all tensors together."""
        if isinstance(w, tuple) or namespace(w) is np:
            return self._sizes
        return namespace(w).as_tensor(self._sizes, device=w.device)

    def _labels_like(self, w):
        """Labels of the entries of the vector w, the largest one for those in no group."""
        if tuple(w.shape) != (self.size,):
            raise ValueError(
                f"These groups span {len(self.tensors)} tensors of a network: give them to sw.attach with that network; "
                f"they do not fit weights of shape {tuple(w.shape)}"
            )
        labels = np.where(self.labels < 0, self.n_groups, self.labels)
        return labels if namespace(w) is np else namespace(w).as_tensor(labels, device=w.device)

    def _sizes_in(self, name: str) -> np.ndarray:
        given, entries = self.labels_in[name], math.prod(self.tensors[name])
        each = entries // max(given.size, 1)  # a label stands for so many entries
        return each * np.bincount(given[given >= 0], minlength=self.n_groups)

    def __getstate__(self):
        return {key: value for key, value in super().__getstate__().items() if key != "labels"}

    def __repr__(self) -> str:
        return f"Groups(<{self.n_groups} groups over {len(self.tensors)} tensors>)"
