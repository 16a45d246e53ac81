"""Losses of counts and amounts, y ≥ 0, with the log link."""
