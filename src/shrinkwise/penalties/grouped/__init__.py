"""Penalties on groups of weights."""
