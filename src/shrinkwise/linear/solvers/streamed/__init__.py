"""Losses with curvature on rows in blocks: Newton steps for all λ at once, each from one pass over the rows."""
