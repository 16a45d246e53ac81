"""The models that are compared, one registry entry each."""
