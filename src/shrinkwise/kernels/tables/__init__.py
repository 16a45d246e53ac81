"""Kernels of reading tables."""
