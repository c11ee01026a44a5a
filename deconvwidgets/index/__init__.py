"""The activation index: the strongest activations of each unit over an image set."""
