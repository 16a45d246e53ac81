"""Dropout layers, one file each."""
