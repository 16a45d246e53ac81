"""Penalties on order, rank and differences of weights."""
