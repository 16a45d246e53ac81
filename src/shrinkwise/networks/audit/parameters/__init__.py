"""Detectors of parameters that are trained twice, by nobody, or unseen."""
