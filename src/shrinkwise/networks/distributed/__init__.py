"""Shards and processes."""
