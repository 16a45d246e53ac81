"""Exact solvers for linear models; `choose` selects one for a problem."""
