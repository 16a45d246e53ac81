"""What detectors are given and what they return."""
