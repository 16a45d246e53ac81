"""Which weights stand or fall together: a partition of the entries of a weight array."""

from __future__ import annotations

import math
from importlib import import_module

import numpy as np

from .array import namespace, vector_norm


class Groups:
    """A partition of the entries of w; −1 marks entries that belong to no group and are not penalised.

    Parameters
    ----------
    labels : array of int
        Group of each entry, with the shape of w; or one-dimensional, one label for each index of the last axis of w
        (one per input of a linear model, also when w has a row per class).
    names : sequence of str, optional
        What reports call the groups, in the order of their labels.

    Groups that depend on the shape of w only are made by :meth:`rows`, :meth:`columns`, :meth:`axis`, :meth:`channels`,
    :meth:`heads`; blocks with names by :meth:`from_indices`.

    >>> import numpy as np
    >>> Groups([0, 0, 1]).norms(np.array([3.0, 4.0, -2.0]))
    array([5., 2.])
    >>> Groups.from_indices({"age": [0], "colour": [1, 2]}, size=4).labels
    array([ 0,  1,  1, -1])
    """

    def __init__(self, labels, names=None):
        labels = np.asarray(labels)
        if labels.size and not np.issubdtype(labels.dtype, np.integer):
            raise TypeError(f"expected integer group labels (−1 = not penalised), got {labels.dtype}")
        if labels.size and labels.min() < -1:
            raise ValueError(f"expected group labels ≥ 0, or −1 for entries not penalised, got {labels.min()}")
        self._axis = None
        self._heads = None
        self._kind = "group"
        used = np.unique(labels[labels >= 0])
        # Consecutive ids 0..G-1 in the order of the labels, so that per-group arrays have one entry a group.
        self.labels = np.where(labels >= 0, np.searchsorted(used, labels), -1)
        self.n_groups = len(used)
        self._used = used
        self._names = None if names is None else [str(name) for name in names]
        if self._names is not None and len(self._names) != self.n_groups:
            raise ValueError(f"expected one name a group ({self.n_groups}), got {len(self._names)}")
        self._layouts: dict[tuple, tuple] = {}

    @staticmethod
    def removable(model, example):
        """The groups of a network whose zero lets `shrinkwise.compact` remove something; see `networks.removable`."""
        return import_module("shrinkwise.networks").removable(model, example)

    # --- how groups are made ---------------------------------------------------------------------------
    @classmethod
    def axis(cls, axis: int) -> Groups:
        """One group for each index of `axis`: all entries that share it."""
        return cls._along(int(axis), "slice")

    @classmethod
    def rows(cls) -> Groups:
        """One group a row: in a weight of shape (out, in, ...) a row is one output unit or channel."""
        return cls._along(0, "row")

    @classmethod
    def columns(cls) -> Groups:
        """One group a column: in a weight of shape (out, in, ...) a column is one whole input or input channel."""
        return cls._along(1, "column")

    @classmethod
    def channels(cls, which: str = "out", *, transposed: bool = False) -> Groups:
        """One group a channel of a convolution: its ``"out"`` channels (filters) or its ``"in"`` channels.

        A convolution's weight is (out, in, *kernel); that of a transposed one is (in, out, *kernel): say ``transposed=True``.
        """
        if which not in ("out", "in"):
            raise ValueError(f"expected which='out' or 'in' (channels of a convolution), got {which!r}")
        return cls._along(int((which == "in") != transposed), f"{which} channel")

    @classmethod
    def heads(cls, n_heads: int, axis: int = 0, *, stacked: int = 1) -> Groups:
        """One group an attention head: `axis` of a projection's weight cut in `n_heads` equal blocks.

        The outputs of the query, key and value projections are split by head (axis 0 of their weight), the inputs of the
        output projection (axis 1). With several projections stacked along the axis, as in the ``in_proj_weight`` of
        torch's MultiheadAttention (``stacked=3``), a head is its block of each of them.
        """
        for name, value in (("n_heads", n_heads), ("stacked", stacked)):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise ValueError(f"expected {name} as an integer ≥ 1, got {value!r}")
        self = cls(np.zeros(0, dtype=int))
        self._heads, self._kind = (int(n_heads), int(axis), int(stacked)), "head"
        return self

    @classmethod
    def from_sizes(cls, sizes) -> Groups:
        """Consecutive groups of the given sizes: ``from_sizes([2, 3])`` is ``Groups([0, 0, 1, 1, 1])``."""
        return cls(np.repeat(np.arange(len(sizes)), sizes))

    @classmethod
    def from_indices(cls, indices, size: int | None = None) -> Groups:
        """Groups given as entry numbers out of `size` (default: the largest + 1); entries in none are not penalised.

        A dictionary {name: entry numbers} gives the groups their names; entry numbers may be slices where `size` is given.
        Overlap is refused: with it the prox is no longer a formula a group.
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
                    f"expected entries 0 to {size - 1} in {called[k]!r}, got {block.min()} to {block.max()}"
                )
            taken = block[labels[block] >= 0]
            if len(taken):
                raise ValueError(
                    f"expected groups without overlap, but entry {taken[0]} is in {called[labels[taken[0]]]!r} and in "
                    f"{called[k]!r}; give each entry one group"
                )
            labels[block] = k
        return cls(labels, None if names is None else [names[k] for k in np.unique(labels[labels >= 0])])

    @classmethod
    def _along(cls, axis: int, kind: str) -> Groups:
        self = cls(np.zeros(0, dtype=int))
        self._axis, self._kind = axis, kind
        return self

    @property
    def whole_axis(self) -> int | None:
        """The axis whose indices are the groups, where they are (rows, columns, `axis`); else None."""
        return self._axis

    # --- what group penalties compute with -------------------------------------------------------------
    def norms(self, w):
        """Euclidean norm of each group, shape (n_groups,)."""
        if self._axis is not None:
            axis = _checked_axis(self._axis, self._kind, tuple(w.shape))
            others = tuple(k for k in range(w.ndim) if k != axis)
            return vector_norm(w, others) if others else abs(w)
        if self._heads is not None:
            return vector_norm(w.reshape(self._head_view(tuple(w.shape))), (0, 1, 3, 4))
        return vector_norm(self.gather(w), 1)

    def gather(self, w):
        """The entries by group, zero-padded: shape (n_groups, largest size)."""
        xp = namespace(w)
        if self._axis is not None:
            w = xp.swapaxes(w, _checked_axis(self._axis, self._kind, tuple(w.shape)), 0)
            return w.reshape(w.shape[0], -1)
        if self._heads is not None:
            w = xp.swapaxes(w.reshape(self._head_view(tuple(w.shape))), 2, 0)
            return w.reshape(w.shape[0], -1)
        flat = w.reshape(-1)
        index = self._index(w)[0]
        if xp is np:
            return np.append(flat, flat.dtype.type(0))[index]
        return xp.cat([flat, flat.new_zeros(1)])[index]

    def spread(self, per_group, w, outside: float = 0.0):
        """A value per group laid over the entries of w (broadcastable to its shape); `outside` for entries in no group."""
        if self._axis is not None:
            axis = _checked_axis(self._axis, self._kind, tuple(w.shape))
            return per_group.reshape([-1 if k == axis else 1 for k in range(w.ndim)])
        xp = namespace(w)
        if self._heads is not None:
            _, stacked, heads, size, _ = self._head_view(tuple(w.shape))
            each = xp.broadcast_to(per_group.reshape(1, -1, 1), (stacked, heads, size)).reshape(-1)
            axis = self._heads[1] % w.ndim
            return each.reshape([-1 if k == axis else 1 for k in range(w.ndim)])
        labels = self._index(w)[1]
        if xp is np:
            return np.append(per_group, per_group.dtype.type(outside))[labels]
        return xp.cat([per_group, per_group.new_full((1,), outside)])[labels]

    def count(self, shape) -> int:
        """Number of groups in a weight of this shape."""
        shape = tuple(shape)
        if self._axis is not None:
            return shape[_checked_axis(self._axis, self._kind, shape)]
        if self._heads is not None:
            return self._head_view(shape)[2]
        return self.n_groups

    def sizes(self, w):
        """Number of entries of each group of w, as an array of w's kind; given a shape, as a NumPy array."""
        if isinstance(w, tuple):
            w = np.broadcast_to(0.0, w)
        if self._axis is None and self._heads is None:
            return self._index(w)[2]
        xp, n = namespace(w), self.count(w.shape)
        return xp.full((n,), math.prod(w.shape) // max(n, 1), **({} if xp is np else {"device": w.device}))

    def names(self, shape) -> list[str]:
        """What reports call the groups of a weight of this shape: the given names, or e.g. "column 3", "group 7"."""
        if self._axis is None and self._heads is None:
            self._layout(tuple(shape))
            return [f"group {label}" for label in self._used] if self._names is None else list(self._names)
        return [f"{self._kind} {k}" for k in range(self.count(shape))]

    def check(self, shape) -> None:
        """One sentence if a weight of this shape cannot be divided so."""
        self.sizes(tuple(shape))

    def _head_view(self, shape: tuple) -> tuple[int, int, int, int, int]:
        """The shape (before, stacked, n_heads, size of a head, after) in which axis 2 counts the heads."""
        n_heads, axis, stacked = self._heads
        axis = _checked_axis(axis, "head", shape)
        if shape[axis] % (n_heads * stacked):
            raise ValueError(
                f"expected axis {axis} to split into {stacked} × {n_heads} equal blocks (stacked × heads), got shape {shape}"
            )
        size = shape[axis] // (n_heads * stacked)
        return math.prod(shape[:axis]), stacked, n_heads, size, math.prod(shape[axis + 1 :])

    def _index(self, w):
        """(padded gather index, labels over the entries, sizes), of w's kind and on its device."""
        if namespace(w) is np:
            return self._layout(tuple(w.shape))
        from .torch_layout import torch_layout

        return torch_layout(self, w.shape, w.device)

    def _layout(self, shape: tuple) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(padded gather index, labels over the entries, sizes) for this shape, computed once a shape."""
        if shape not in self._layouts:
            last = shape[-1] if shape else 1
            if self.labels.shape != shape and self.labels.shape != (last,):
                raise ValueError(
                    f"expected group labels of shape {shape} or ({last},) for weights of shape {shape}, got {self.labels.shape}"
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

    # --- identity --------------------------------------------------------------------------------------
    def __getstate__(self):
        return {**self.__dict__, "_layouts": {}}

    def __repr__(self) -> str:
        if self._heads is not None:
            n_heads, axis, stacked = self._heads
            return f"Groups.heads({n_heads}, axis={axis}{f', stacked={stacked}' if stacked > 1 else ''})"
        if self._kind.endswith("channel"):
            which = self._kind.split()[0]
            return f"Groups.channels({which!r}{', transposed=True' if (which == 'in') != (self._axis == 1) else ''})"
        if self._axis is not None:
            return {0: "Groups.rows()", 1: "Groups.columns()"}.get(self._axis, f"Groups.axis({self._axis})")
        shown = "" if self._names is None else ": " + ", ".join(self._names[:4]) + ", …" * (self.n_groups > 4)
        return f"Groups(<{self.labels.size} labels, {self.n_groups} groups{shown}>)"

    def __eq__(self, other) -> bool:
        if not isinstance(other, Groups):
            return NotImplemented
        same = (self._axis, self._heads, self._names) == (other._axis, other._heads, other._names)
        return same and np.array_equal(self.labels, other.labels)

    __hash__ = None  # type: ignore[assignment]


def _entries(block, size: int | None) -> np.ndarray:
    if isinstance(block, slice):
        if size is None:
            raise ValueError("expected size= (the number of entries) where a group is a slice")
        return np.arange(size)[block]
    block = np.atleast_1d(np.asarray(block))
    if block.size and not np.issubdtype(block.dtype, np.integer):
        raise TypeError(f"expected entry numbers (integers) for each group, got {block.dtype}")
    return block.astype(int)


def _checked_axis(axis: int, kind: str, shape: tuple) -> int:
    if not -len(shape) <= axis < len(shape):
        raise ValueError(f"expected weights with an axis {axis} ({kind}s) to group, got shape {shape}")
    return axis % len(shape)
