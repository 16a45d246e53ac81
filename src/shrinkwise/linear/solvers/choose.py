"""The choice of the solver for a problem."""

from __future__ import annotations

import numpy as np

from shrinkwise.linear.problem.problem import Problem
from shrinkwise.linear.solvers.newton.solver import NewtonSolver
from shrinkwise.linear.solvers.root import RootSolver
from shrinkwise.linear.solvers.squares.gram_solver import SquaredSolver
from shrinkwise.linear.solvers.squares.joint_targets import JointTargetsSolver
from shrinkwise.linear.solvers.squares.residual import ResidualSolver


def solver_for(problem: Problem, start=None, gram=None):
    """The solver of this loss, from `start` = (w, b) or from zero; `gram` is X̃'X̃/n if it is already known."""
    if problem.loss.is_root:
        return RootSolver(problem, _of_squares)
    if not problem.loss.is_quadratic or problem.design.streams:
        return NewtonSolver(problem, start)
    if several_targets(problem):
        return JointTargetsSolver(problem, start)
    return _of_squares(problem, start, gram)


def _of_squares(problem: Problem, start=None, gram=None):
    return ResidualSolver(problem, start) if problem.design.sparse else SquaredSolver(problem, start, gram)


def several_targets(problem: Problem) -> bool:
    """Whether y has columns, K targets of least squares."""
    return problem.loss.is_quadratic and np.ndim(problem.y) == 2
