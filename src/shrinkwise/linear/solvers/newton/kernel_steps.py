"""The steps of `WorkingSolver` by a kernel, for one linear predictor, dense columns and an L1 + L2 penalty.

Which model serves, when it is built again and when it is enough is decided where it always is; what is done here with
every row and every column takes one call a time, in arrays that stay.
"""

from __future__ import annotations

import numpy as np

from shrinkwise import kernels
from shrinkwise.kernels.library import library
from shrinkwise.linear.certificates import dual_offset

from .line_search import WorkingSolver


class KernelSolver(WorkingSolver):
    """As `WorkingSolver`; w is changed in place by a step."""

    @staticmethod
    def takes(problem, columns, inner) -> bool:
        """Whether the kernel knows this loss and penalty, and the columns lie as it needs them."""
        known = problem.loss.name in kernels.ROW_LOSSES and np.ndim(problem.y) == 1
        return known and inner.a is not None and columns.keeps_rows and library() is not None

    def __init__(self, problem, columns):
        super().__init__(problem, columns)
        n = problem.n
        self.y = np.ascontiguousarray(problem.y, dtype=float)
        self.eta, self.rows, self.g_eta, self.candidate = np.zeros((4, n))
        self.unit = problem.intercept_unit
        self.V, self.scratch, self.places = np.zeros((2, n)), np.empty((4, n)), np.arange(problem.p)
        self.v = self.V[0]
        offsets = problem.offset, dual_offset(problem)
        self.offsets = [None if x is None else np.ascontiguousarray(x, dtype=float) for x in offsets]
        self.s = None if self.alike else np.ascontiguousarray(problem.s, dtype=float)
        self.job = kernels.NewtonJob(
            loss=kernels.ROW_LOSSES[problem.loss.name],
            n=n,
            fit_intercept=problem.fit_intercept,
            null_loss=problem.null_loss,
        )
        self._point(y=self.y, s=self.s, offset=self.offsets[0], dual_offset=self.offsets[1])
        self._point(eta=self.eta, rows=self.rows, slopes=self.g_eta, offered=self.candidate)
        self._point(V=self.V, scratch=self.scratch, places=self.places)
        self.seen = self.described = self.on = None

    def _point(self, **arrays):
        for name, array in arrays.items():
            setattr(self.job, name, None if array is None else array.ctypes.data)

    def start(self, eta, known=None):
        """As `WorkingSolver.start`."""
        self.eta[:] = eta
        kernels.row_steps("start", self.job)
        self.gb = np.array([self.job.gb])
        self.dual, self.offered = self.g_eta, None

    def at(self):
        """As `WorkingSolver.at`: copies, since the arrays stay."""
        return tuple(array.copy() for array in super().at())

    def solve(self, inner, point, g, likely, targets, left: int):
        """As `WorkingSolver.solve`."""
        self.seen = self.on = None  # the columns may lie elsewhere
        return super().solve(inner, point, g, likely, targets, left)

    def _columns(self, single: bool):
        """Tell the kernel where the columns in front are."""
        if self.on != (self.columns.front, single):
            self.on = self.columns.front, single
            self.job.single = single
            self._point(X=self.columns.rows_in(np.float32 if single else np.float64))

    def _weights(self, inner, w, b):
        """Tell the kernel where the weights of the columns in front are, and what belongs to them."""
        job, m, ids = self.job, self.columns.front, self.columns.ids[: self.columns.front]
        self.seen, job.m, job.intercept = w, m, b[0]
        # One block: each address that ctypes is asked for takes a part of the time of a step.
        self.block, self.moves = np.empty((5, m)), np.empty(m, dtype=bool)
        self.block[0], self.block[1] = inner.a[0, ids], inner.b[0, ids]
        self.gradients, self.d = self.block[2:4], self.block[4]
        self._point(w=w, moving=self.moves)
        at, row = self.block.ctypes.data, 8 * m
        job.a, job.b, job.gradients, job.d = at, at + row, at + 2 * row, at + 4 * row

    def _look(self, inner, w, b, targets):
        if self.seen is not w:
            self._weights(inner, w, b)
        self._columns(self.in_single)
        job = self.job
        kernels.row_steps("look", job, targets[0], targets[1])
        self.needed = targets[0] * self.problem.null_loss / max(job.size, 1e-300)
        self.dual = self.g_eta if job.dual != 2 else self.offered
        offered = self.gradients[1:] if self.offered is not None else None
        return (self.gradients[:1], offered), None, max(job.worst, self._intercept_violation())

    def _intercept_violation(self) -> float:
        return abs(self.job.gb) * self.unit if self.problem.fit_intercept else 0.0

    def _reached(self, inner, w, gradients, violation, targets) -> bool:
        return self.job.gap <= targets[0]

    def _moving(self, inner, w, violation):
        return self.moves[None]

    def _move(self, inner, w, b, g, tol: float):
        """The step by the kernel where the model is in single precision."""
        job, model = self.job, self.model
        if model.exact:
            self.d[:], db = (part[0] for part in model.step(w, g, self.gb, inner, tol))
            job.db = float(db)
        if self.described != (model, len(model.cls)):
            self._describe(model)
        if not model.exact:
            kernels.row_steps("step", job, tol)
        self._columns(self.in_single)
        kernels.row_steps("search", job)
        self.at_rounding = bool(job.at_rounding)
        if not job.t > 0:
            return None
        model.fresh_before, model.fresh = model.fresh, False
        self.gb[0] = job.gb
        self.dual, self.offered = self.g_eta, self.candidate if job.has_offered else None
        return w, np.array([job.intercept])

    def _describe(self, model):
        """Tell the kernel where the parts of the model are."""
        k = len(model.cls)
        self.described, self.job.k, self.job.stride = (model, k), k, model.store.shape[1]
        self.work, self.change, self.order = np.empty(11 * k), np.empty(2 * k, np.float32), np.empty(k, np.int64)
        self._point(H=model.store, pos=model.pos, M=model.M, curvature=model.curvature.S)
        self._point(work=self.work, change=self.change, order=self.order)
        if model.fit_intercept:
            self.job.T_inverse = model.T_inverse[0, 0]

    def _fit_intercept(self, w, b):
        self._columns(False)
        kernels.row_steps("intercept", self.job)
        self.gb[0] = self.job.gb
        return np.array([self.job.intercept])
