"""Penalties with the values 0 and ∞."""
