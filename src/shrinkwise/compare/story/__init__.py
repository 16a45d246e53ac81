"""The verdict and the data of the report."""
