"""The activation index: each unit's strongest activations on an image set."""
