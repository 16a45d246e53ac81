"""Detectors of dropout at the wrong place in the network."""
