"""Groups: a partition of the entries of a weight array into sets that become zero together."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable

import numpy as np

from .array import namespace, numbered, vector_norm


class Groups:
    """A partition of the entries of w. Entries with the label −1 belong to no group and are not penalised.

    Parameters
    ----------
    labels : array of int or str
        Group of each entry, with the shape of w; or one-dimensional, one label for each index of the last axis of w
        (one per input of a linear model, also when w has a row per class). Texts are names.
    names : sequence of str, optional
        Names of the groups in reports, in the order of their labels.

    :meth:`rows`, :meth:`columns`, :meth:`axis`, :meth:`channels` and :meth:`heads` make groups that depend only on the
    shape of w; :meth:`from_indices` makes named blocks. All of them are subclasses that define the members below.

    >>> import numpy as np
    >>> Groups([0, 0, 1]).norms(np.array([3.0, 4.0, -2.0]))
    array([5., 2.])
    >>> Groups.from_indices({"age": [0], "colour": [1, 2]}, size=4).labels
    array([ 0,  1,  1, -1])
    """

    whole_axis: int | None = None  # the axis whose indices are the groups; None where groups are something else
    tensors: dict[str, tuple] | None = (
        None  # names and shapes of the tensors that they span; None: groups of one tensor
    )
    removable: Callable  # of a model and an example; bound at the package's door, since penalties know no network
    identity: tuple = ()  # two partitions of one class are equal when these are

    def __new__(cls, *args, **kwargs):
        """``Groups(labels)`` returns `LabelledGroups`."""
        return object.__new__(LabelledGroups if cls is Groups else cls)

    # --- constructors ----------------------------------------------------------------------------------
    @staticmethod
    def axis(axis: int) -> Groups:
        """One group for each index of `axis`: all entries that share it."""
        return AxisGroups(int(axis), "slice")

    @staticmethod
    def rows() -> Groups:
        """One group per row: in a weight of shape (out, in, ...) a row is one output unit or channel."""
        return AxisGroups(0, "row")

    @staticmethod
    def columns() -> Groups:
        """One group per column: in a weight of shape (out, in, ...) a column is one whole input or input channel."""
        return AxisGroups(1, "column")

    @staticmethod
    def channels(which: str = "out", *, transposed: bool = False) -> Groups:
        """One group per channel of a convolution: its ``"out"`` channels (filters) or its ``"in"`` channels.

        A convolution's weight is ``(out, in, *kernel)``; with ``transposed=True`` it is ``(in, out, *kernel)``.
        """
        if which not in ("out", "in"):
            raise ValueError(f"Expected which='out' or 'in' (channels of a convolution), got {which!r}")
        return AxisGroups(int((which == "in") != transposed), f"{which} channel")

    @staticmethod
    def heads(n_heads: int, axis: int = 0, *, stacked: int = 1) -> Groups:
        """One group per attention head: `axis` of a projection's weight is divided into `n_heads` equal blocks.

        Heads divide the outputs of the query, key and value projections (axis 0 of their weight) and the inputs of the
        output projection (axis 1). With several projections stacked along the axis, as in the ``in_proj_weight`` of
        torch's MultiheadAttention (``stacked=3``), a head is its block of each of them.
        """
        for name, value in (("n_heads", n_heads), ("stacked", stacked)):
            if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
                raise ValueError(f"Expected {name} to be an integer ≥ 1, got {value!r}")
        return HeadGroups(int(n_heads), int(axis), int(stacked))

    @staticmethod
    def from_sizes(sizes) -> Groups:
        """Consecutive groups of the given sizes: ``from_sizes([2, 3])`` is ``Groups([0, 0, 1, 1, 1])``."""
        return LabelledGroups(np.repeat(np.arange(len(sizes)), sizes))

    @staticmethod
    def from_indices(indices, size: int | None = None) -> Groups:
        """Groups given as entry numbers out of `size` (default: the largest + 1); entries in no group are not
        penalised.

        A dictionary {name: entry numbers} names the groups; entry numbers may be slices if `size` is given.
        Groups must not overlap: with overlap the prox has no closed form.
        """
        names = [str(name) for name in indices] if isinstance(indices, dict) else None
        called = names or [f"group {k}" for k in range(len(indices))]
        blocks = [_entries(block, size) for block in (indices.values() if names is not None else indices)]
        if size is None:
            size = 1 + max((int(block.max()) for block in blocks if block.size), default=-1)
        labels = np.full(size, -1)
        for k, block in enumerate(blocks):
            if block.size and not (block.min() >= 0 and block.max() < size):
                raise ValueError(
                    f"Expected entries 0 to {size - 1} in {called[k]!r}, got {block.min()} to {block.max()}"
                )
            taken = block[labels[block] >= 0]
            if len(taken):
                raise ValueError(
                    f"Expected groups without overlap, but entry {taken[0]} is in {called[labels[taken[0]]]!r} "
                    f"and in {called[k]!r}; give each entry one group"
                )
            labels[block] = k
        return LabelledGroups(labels, None if names is None else [names[k] for k in np.unique(labels[labels >= 0])])

    # --- members that group penalties use ----------------------------------------------------------------
    def norms(self, w):
        """Euclidean norm of each group, shape (n_groups,)."""
        raise NotImplementedError

    def gather(self, w):
        """The entries by group, zero-padded: shape (n_groups, largest size)."""
        raise NotImplementedError

    def spread(self, per_group, w, outside: float = 0.0):
        """One value per group, broadcast to the entries of w; entries in no group get `outside`."""
        raise NotImplementedError

    def count(self, shape) -> int:
        """Number of groups in a weight of this shape."""
        raise NotImplementedError

    def sizes(self, w):
        """Number of entries of each group of w (all equal here), as an array of w's kind; given a shape, as a NumPy array."""
        w = np.broadcast_to(0.0, w) if isinstance(w, tuple) else w
        xp, n = namespace(w), self.count(w.shape)
        return xp.full((n,), math.prod(w.shape) // max(n, 1), **({} if xp is np else {"device": w.device}))

    def names(self, shape) -> list[str]:
        """Names of the groups of a weight of this shape in reports: the given names, or e.g. "column 3", "group 7"."""
        raise NotImplementedError

    def check(self, shape) -> None:
        """Raise ValueError if a weight of this shape cannot be divided into these groups."""
        self.sizes(tuple(shape))

    def __eq__(self, other) -> bool:
        if not isinstance(other, Groups):
            return NotImplemented
        return type(self) is type(other) and self.identity == other.identity

    __hash__ = None  # type: ignore[assignment]


class AxisGroups(Groups):
    """One group for each index of one axis; `kind` is the name of a group."""

    whole_axis: int

    def __init__(self, axis: int, kind: str):
        self.whole_axis, self.kind, self.identity = axis, kind, (axis,)

    def norms(self, w):
        """Euclidean norm of each slice."""
        axis = self._axis(tuple(w.shape))
        others = tuple(k for k in range(w.ndim) if k != axis)
        return vector_norm(w, others) if others else abs(w)

    def gather(self, w):
        """The slices as rows of a matrix."""
        w = namespace(w).swapaxes(w, self._axis(tuple(w.shape)), 0)
        return w.reshape(w.shape[0], -1)

    def spread(self, per_group, w, outside: float = 0.0):
        """A view that broadcasts along the other axes; every entry is in a group."""
        axis = self._axis(tuple(w.shape))
        return per_group.reshape([-1 if k == axis else 1 for k in range(w.ndim)])

    def count(self, shape) -> int:
        """Length of the axis."""
        return shape[self._axis(tuple(shape))]

    def names(self, shape) -> list[str]:
        """E.g. "column 0", "column 1"."""
        return [f"{self.kind} {k}" for k in range(self.count(shape))]

    def _axis(self, shape: tuple) -> int:
        return _checked_axis(self.whole_axis, self.kind, shape)

    def __repr__(self) -> str:
        if self.kind.endswith("channel"):
            which = self.kind.split()[0]
            transposed = (which == "in") != (self.whole_axis == 1)
            return f"Groups.channels({which!r}{', transposed=True' if transposed else ''})"
        return {0: "Groups.rows()", 1: "Groups.columns()"}.get(self.whole_axis, f"Groups.axis({self.whole_axis})")


class HeadGroups(Groups):
    """One group for each attention head: a block of one axis, or of each of `stacked` parts of it."""

    def __init__(self, n_heads: int, axis: int, stacked: int):
        self.identity = self.n_heads, self.axis_of_heads, self.stacked = n_heads, axis, stacked

    def norms(self, w):
        """Euclidean norm of each head."""
        return vector_norm(w.reshape(self._view(tuple(w.shape))), (0, 1, 3, 4))

    def gather(self, w):
        """The heads as rows of a matrix."""
        w = namespace(w).swapaxes(w.reshape(self._view(tuple(w.shape))), 2, 0)
        return w.reshape(w.shape[0], -1)

    def spread(self, per_group, w, outside: float = 0.0):
        """An array along the axis that broadcasts along the others; every entry is in a group."""
        _, stacked, heads, size, _ = self._view(tuple(w.shape))
        each = namespace(w).broadcast_to(per_group.reshape(1, -1, 1), (stacked, heads, size)).reshape(-1)
        axis = self.axis_of_heads % w.ndim
        return each.reshape([-1 if k == axis else 1 for k in range(w.ndim)])

    def count(self, shape) -> int:
        """Number of heads."""
        return self._view(tuple(shape))[2]

    def names(self, shape) -> list[str]:
        """E.g. "head 0", "head 1"."""
        return [f"head {k}" for k in range(self.count(shape))]

    def _view(self, shape: tuple) -> tuple[int, int, int, int, int]:
        """The shape (before, stacked, n_heads, size of a head, after), in which axis 2 counts the heads."""
        axis, parts = _checked_axis(self.axis_of_heads, "head", shape), self.n_heads * self.stacked
        if shape[axis] % parts:
            raise ValueError(
                f"Expected axis {axis} to split into {parts} equal blocks (stacked × heads), got shape {shape}"
            )
        return math.prod(shape[:axis]), self.stacked, self.n_heads, shape[axis] // parts, math.prod(shape[axis + 1 :])

    def __repr__(self) -> str:
        stacked = f", stacked={self.stacked}" if self.stacked > 1 else ""
        return f"Groups.heads({self.n_heads}, axis={self.axis_of_heads}{stacked})"


class LabelledGroups(Groups):
    """Groups given by a label for each entry, or for each index of the last axis.

    labels : int array, renumbered 0 to n_groups − 1 in the order of the given labels; −1 in no group.
    """

    def __init__(self, labels, names=None):
        labels, names = numbered(labels, names)
        if labels.size and not np.issubdtype(labels.dtype, np.integer):
            raise TypeError(f"Expected integer group labels (−1 = not penalised) or texts, got {labels.dtype}")
        if labels.size and labels.min() < -1:
            raise ValueError(f"Expected group labels ≥ 0, or −1 for entries not penalised, got {labels.min()}")
        used = np.unique(labels[labels >= 0])
        # Consecutive ids 0..G-1 in the order of the labels, so that per-group arrays have one entry a group.
        self.labels = np.where(labels >= 0, np.searchsorted(used, labels), -1)
        self.n_groups = len(used)
        self._names = [f"group {label}" for label in used] if names is None else [str(name) for name in names]
        self._named = names is not None
        if len(self._names) != self.n_groups:
            raise ValueError(f"Expected one name per group ({self.n_groups}), got {len(self._names)}")
        self.identity = self.labels.shape, self.labels.tobytes(), self._names if self._named else None
        self._layouts: dict[tuple, tuple] = {}

    def norms(self, w):
        """Euclidean norm of each group."""
        return vector_norm(self.gather(w), 1)

    def gather(self, w):
        """The entries by group, zero-padded."""
        xp, flat = namespace(w), w.reshape(-1)
        index = self._index(w)[0]
        if xp is np:
            return np.append(flat, flat.dtype.type(0))[index]
        return xp.cat([flat, flat.new_zeros(1)])[index]

    def spread(self, per_group, w, outside: float = 0.0):
        """The value of the group of each entry."""
        labels = self._index(w)[1]
        if namespace(w) is np:
            return np.append(per_group, per_group.dtype.type(outside))[labels]
        return namespace(w).cat([per_group, per_group.new_full((1,), outside)])[labels]

    def count(self, shape) -> int:
        """Number of labels, whatever the shape."""
        return self.n_groups

    def sizes(self, w):
        """Number of entries of each group."""
        return self._index(np.broadcast_to(0.0, w) if isinstance(w, tuple) else w)[2]

    def names(self, shape) -> list[str]:
        """The given names, or "group 7" for the label 7."""
        self.layout(tuple(shape))
        return list(self._names)

    def _index(self, w):
        """(padded gather index, labels over the entries, sizes), of w's kind and on its device."""
        if namespace(w) is np:
            return self.layout(tuple(w.shape))
        from .torch_layout import torch_layout

        return torch_layout(self, w.shape, w.device)

    def layout(self, shape: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(padded gather index, labels over the entries, sizes) for this shape, computed once per shape."""
        if shape not in self._layouts:
            last = shape[-1] if shape else 1
            if self.labels.shape != shape and self.labels.shape != (last,):
                raise ValueError(
                    f"Expected group labels of shape {shape} or ({last},) for weights of shape {shape}, got "
                    f"{self.labels.shape}"
                )
            labels = np.array(np.broadcast_to(self.labels, shape))
            flat = labels.reshape(-1)
            order = np.argsort(flat, kind="stable")
            order = order[flat[order] >= 0]
            sizes = np.bincount(flat[order], minlength=self.n_groups)
            starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]) if self.n_groups else np.zeros(0, dtype=int)
            index = np.full((self.n_groups, max(sizes, default=0)), flat.size)
            position = np.arange(len(order)) - np.repeat(starts, sizes)
            index[flat[order], position] = order
            self._layouts[shape] = (index, labels, sizes)
        return self._layouts[shape]

    def __getstate__(self):
        return {**self.__dict__, "_layouts": {}}

    def __repr__(self) -> str:
        shown = ": " + ", ".join(self._names[:4]) + ", …" * (self.n_groups > 4) if self._named else ""
        return f"Groups(<{self.labels.size} labels, {self.n_groups} groups{shown}>)"


def _entries(block, size: int | None) -> np.ndarray:
    if isinstance(block, slice):
        if size is None:
            raise ValueError("Expected size= (the number of entries) if a group is a slice")
        return np.arange(size)[block]
    block = np.atleast_1d(np.asarray(block))
    if block.size and not np.issubdtype(block.dtype, np.integer):
        raise TypeError(f"Expected entry numbers (integers) for each group, got {block.dtype}")
    return block.astype(int)


def _checked_axis(axis: int, kind: str, shape: tuple) -> int:
    if not -len(shape) <= axis < len(shape):
        raise ValueError(f"Expected weights with an axis {axis} ({kind}s) to group, got shape {shape}")
    return axis % len(shape)
