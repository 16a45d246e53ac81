"""Detectors of wrong modes in a recorded training script."""
