"""A diagnosis as a file."""
