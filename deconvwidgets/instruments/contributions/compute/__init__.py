"""The computations."""
