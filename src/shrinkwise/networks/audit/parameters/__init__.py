"""Detectors of parameters that are trained twice, not trained, or not registered."""
