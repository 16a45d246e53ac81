"""Detectors of penalties that do not enforce what is written."""
