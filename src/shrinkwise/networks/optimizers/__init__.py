"""Optimizers whose step takes an attached penalty into its own pass over memory."""
