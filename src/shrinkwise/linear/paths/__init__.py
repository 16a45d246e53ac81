"""Solutions along λ: the path and what is computed from it."""
