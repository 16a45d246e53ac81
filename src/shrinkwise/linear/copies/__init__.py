"""Penalties on groups that share columns, solved on copies of the columns: overlapping groups, hierarchical products."""
