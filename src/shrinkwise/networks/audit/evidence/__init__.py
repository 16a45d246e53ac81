"""Evidence from passes over a batch and from a record of training steps."""
