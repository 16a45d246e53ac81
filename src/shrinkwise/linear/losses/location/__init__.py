"""Losses of y − η: the mean, a robust mean, a quantile."""
