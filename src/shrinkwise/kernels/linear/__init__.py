"""Kernels of the linear solvers."""
