"""Losses of linear models, one file each."""
