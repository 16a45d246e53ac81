"""What passes over a batch and a record of training steps show."""
