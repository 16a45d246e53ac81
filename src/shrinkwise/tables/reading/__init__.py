"""Files read into frames."""
