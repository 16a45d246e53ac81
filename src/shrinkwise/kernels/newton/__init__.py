"""Kernels of proximal Newton steps."""
