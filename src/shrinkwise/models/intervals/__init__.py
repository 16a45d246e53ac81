"""Intervals of predicted numbers and sets of predicted classes, as the kept model stores and applies them."""
