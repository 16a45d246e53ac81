"""Detectors for weight decay."""
