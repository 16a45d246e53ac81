"""The arithmetic of proximal Newton steps for one linear predictor and an L1 + L2 penalty: five functions of one job.

They have no reference here: the same formulas with arrays are the methods of `linear.solvers.newton.line_search`.
"""

from __future__ import annotations

import ctypes

from shrinkwise.kernels.library import DISPATCH, declare, layout, loaded_library

ROW_LOSSES = {"logistic": 0, "poisson": 1, "gamma": 2}  # the losses it knows, as row_losses.h numbers them
_POINTER = ctypes.c_void_p


class NewtonJob(ctypes.Structure):
    """What the functions read and write; row_steps.c says what each field is. Its owner keeps the arrays alive."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("loss", "n", "fit_intercept")),
        *((name, _POINTER) for name in ("y", "s", "offset", "dual_offset")),
        ("null_loss", ctypes.c_double),
        *((name, _POINTER) for name in ("eta", "rows", "slopes", "V", "offered", "scratch")),
        *((name, ctypes.c_int64) for name in ("has_offered", "m", "single")),
        *((name, _POINTER) for name in ("X", "places", "a", "b", "w", "gradients", "d", "moving")),
        *((name, ctypes.c_int64) for name in ("k", "stride")),
        *((name, _POINTER) for name in ("H", "pos", "M", "curvature")),
        ("T_inverse", ctypes.c_double),
        *((name, _POINTER) for name in ("work", "change", "order")),
        *((name, ctypes.c_double) for name in ("intercept", "db", "gb", "worst", "gap")),
        ("dual", ctypes.c_int64),
        *((name, ctypes.c_double) for name in ("size", "t")),
        ("at_rounding", ctypes.c_int64),
    )


layout("sw_newton_layout", NewtonJob)
declare("sw_newton_start", None, _POINTER)
declare("sw_newton_look", None, _POINTER, ctypes.c_double, ctypes.c_double)
declare("sw_newton_step", None, _POINTER, ctypes.c_double)
declare("sw_newton_search", None, _POINTER)
declare("sw_newton_intercept", None, _POINTER)


def row_steps(function: str, job: NewtonJob, *numbers: float) -> None:
    """Call one of start, look, step, search and intercept."""
    getattr(loaded_library(), f"sw_newton_{function}")(ctypes.byref(job), *numbers)


DISPATCH["row_steps"] = (None, row_steps)
