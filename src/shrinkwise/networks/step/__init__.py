"""The hooks around one step of an optimizer."""
