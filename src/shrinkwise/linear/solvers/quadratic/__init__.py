"""The inner problem: a quadratic plus a penalty."""
