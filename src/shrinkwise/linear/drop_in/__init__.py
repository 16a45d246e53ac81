"""scikit-learn names with scikit-learn objectives."""
