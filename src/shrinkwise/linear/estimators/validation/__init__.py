"""Cross-validation of a path: fits by fold, held-out losses and scores, the curve and the choice on it."""
