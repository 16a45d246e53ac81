"""Nested scores: folds, metrics, time, journal."""
