"""The folds of a table, encoded; tables of many rows of numbers once for all folds"""
