"""A comparison on rows that do not fit in memory: a sample of them, and sums over all of them."""
