"""The run folder: writing, record, replay, comparison of two."""
