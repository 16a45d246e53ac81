"""Detectors of penalties that do not act as written."""
