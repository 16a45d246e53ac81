"""Optimizers whose step includes an attached penalty in its own pass over memory."""
