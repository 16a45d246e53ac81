"""Which weights stand or fall together: a partition of the entries of a weight array."""

from __future__ import annotations

import math

import numpy as np

from ._array import namespace, vector_norm


class Groups:
    """A partition of the entries of w; −1 marks entries that belong to no group and are not penalised.

    Parameters
    ----------
    labels : array of int
        Group of each entry, with the shape of w; or one-dimensional, one label for each index of the last axis of w
        (one per input of a linear model, also when w has a row per class).

    Groups that depend on the shape of w only are made by :meth:`rows`, :meth:`columns`, :meth:`axis`.

    >>> import numpy as np
    >>> Groups([0, 0, 1]).norms(np.array([3.0, 4.0, -2.0]))
    array([5., 2.])
    """

    def __init__(self, labels):
        labels = np.asarray(labels)
        if labels.size and not np.issubdtype(labels.dtype, np.integer):
            raise TypeError(f"expected integer group labels (−1 = not penalised), got {labels.dtype}")
        if labels.size and labels.min() < -1:
            raise ValueError(f"expected group labels ≥ 0, or −1 for entries not penalised, got {labels.min()}")
        self._axis = None
        names = np.unique(labels[labels >= 0])
        # Consecutive ids 0..G-1 in the order of the labels, so that per-group arrays have one entry a group.
        self.labels = np.where(labels >= 0, np.searchsorted(names, labels), -1)
        self.n_groups = len(names)
        self._layouts: dict[tuple, tuple] = {}

    @classmethod
    def axis(cls, axis: int) -> Groups:
        """One group for each index of `axis`: all entries that share it."""
        self = cls(np.zeros(0, dtype=int))
        self._axis = int(axis)
        return self

    @classmethod
    def rows(cls) -> Groups:
        """One group a row: in a weight of shape (out, in, ...) a row is one output unit or channel."""
        return cls.axis(0)

    @classmethod
    def columns(cls) -> Groups:
        """One group a column: in a weight of shape (out, in, ...) a column is one whole input or input channel."""
        return cls.axis(1)

    @classmethod
    def from_sizes(cls, sizes) -> Groups:
        """Consecutive groups of the given sizes: ``from_sizes([2, 3])`` is ``Groups([0, 0, 1, 1, 1])``."""
        return cls(np.repeat(np.arange(len(sizes)), sizes))

    @classmethod
    def from_indices(cls, indices, size: int) -> Groups:
        """Groups given as lists of entry numbers out of `size`; entries in none are not penalised; overlap is refused."""
        labels = np.full(size, -1)
        for k, members in enumerate(indices):
            members = np.asarray(members, dtype=int)
            taken = members[labels[members] >= 0]
            if len(taken):
                raise ValueError(
                    f"expected groups without overlap, but entry {taken[0]} is in two; give each entry one group"
                )
            labels[members] = k
        return cls(labels)

    # --- what group penalties compute with -------------------------------------------------------------
    def norms(self, w):
        """Euclidean norm of each group, shape (n_groups,)."""
        if self._axis is not None:
            axis = self._checked_axis(w)
            others = tuple(k for k in range(w.ndim) if k != axis)
            return vector_norm(w, others) if others else abs(w)
        return vector_norm(self.gather(w), 1)

    def gather(self, w):
        """The entries by group, zero-padded: shape (n_groups, largest size)."""
        if self._axis is not None:
            w = namespace(w).swapaxes(w, self._checked_axis(w), 0)
            return w.reshape(w.shape[0], -1)
        xp = namespace(w)
        flat = w.reshape(-1)
        index = self._layout(tuple(w.shape))[0]
        if xp is np:
            return np.append(flat, flat.dtype.type(0))[index]
        index = xp.as_tensor(index, device=w.device)
        return xp.cat([flat, flat.new_zeros(1)])[index]

    def spread(self, per_group, w, outside: float = 0.0):
        """A value per group laid over the entries of w (broadcastable to its shape); `outside` for entries in no group."""
        if self._axis is not None:
            return per_group.reshape([-1 if k == self._checked_axis(w) else 1 for k in range(w.ndim)])
        xp = namespace(w)
        labels = self._layout(tuple(w.shape))[1]
        if xp is np:
            return np.append(per_group, per_group.dtype.type(outside))[labels]
        labels = xp.as_tensor(labels, device=w.device)
        return xp.cat([per_group, per_group.new_full((1,), outside)])[labels]

    def sizes(self, shape) -> np.ndarray:
        """Number of entries of each group in a weight of this shape."""
        if self._axis is not None:
            axis = self._checked_axis(np.broadcast_to(0.0, shape))
            return np.full(shape[axis], math.prod(shape) // max(shape[axis], 1))
        labels = self._layout(tuple(shape))[1]
        return np.bincount(labels[labels >= 0], minlength=self.n_groups)

    def check(self, shape) -> None:
        """One sentence if a weight of this shape cannot be divided so."""
        if self._axis is not None:
            self._checked_axis(np.broadcast_to(0.0, shape))
        else:
            self._layout(tuple(shape))

    def _checked_axis(self, w) -> int:
        if not -w.ndim <= self._axis < w.ndim:
            kind = {0: "rows", 1: "columns"}.get(self._axis, f"axis {self._axis}")
            raise ValueError(f"expected weights with {kind} to group, got shape {tuple(w.shape)}")
        return self._axis % w.ndim

    def _layout(self, shape: tuple) -> tuple[np.ndarray, np.ndarray]:
        """(padded gather index, labels over the entries) for this shape, computed once a shape."""
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
            self._layouts[shape] = (index, labels)
        return self._layouts[shape]

    def __getstate__(self):
        return {**self.__dict__, "_layouts": {}}

    def __repr__(self) -> str:
        if self._axis is not None:
            return {0: "Groups.rows()", 1: "Groups.columns()"}.get(self._axis, f"Groups.axis({self._axis})")
        return f"Groups(<{self.labels.size} labels, {self.n_groups} groups>)"

    def __eq__(self, other) -> bool:
        if not isinstance(other, Groups):
            return NotImplemented
        return self._axis == other._axis and np.array_equal(self.labels, other.labels)

    __hash__ = None  # type: ignore[assignment]
