"""Penalties on single weights."""
