"""A network trained along λ."""
