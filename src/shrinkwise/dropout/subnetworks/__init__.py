"""What a network with dropout contains: sub-networks and their average."""
