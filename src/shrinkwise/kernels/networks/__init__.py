"""Kernels of training and dropout."""
