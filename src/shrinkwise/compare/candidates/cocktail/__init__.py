"""A network with several regularizers chosen together: the mean of the networks of the inner folds."""
