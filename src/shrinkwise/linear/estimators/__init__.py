"""scikit-learn estimators for any penalty."""
