"""What happens around one step of an optimizer."""
