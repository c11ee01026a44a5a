"""What looks wrong with a trained network: its units, its first layer, its response to small shifts, and its input."""
