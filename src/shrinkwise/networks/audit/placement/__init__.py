"""Detectors of dropout at a wrong place in the network."""
