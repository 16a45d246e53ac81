"""Memory of a training step: layout, passes over it, rollback."""
