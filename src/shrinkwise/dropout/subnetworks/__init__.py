"""The sub-networks of a network with dropout, and their average."""
