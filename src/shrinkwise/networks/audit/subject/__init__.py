"""The input and output of detectors."""
