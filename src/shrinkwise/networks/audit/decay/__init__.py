"""Detectors of what weight decay does."""
