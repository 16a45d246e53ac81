"""Detectors of dropout that acts when it should not, or does not act."""
