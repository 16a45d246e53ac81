"""Losses with a Newton model: working sets and a line search."""
