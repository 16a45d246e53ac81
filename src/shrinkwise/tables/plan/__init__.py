"""The plan of a table: target, columns, notes."""
