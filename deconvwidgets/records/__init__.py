"""Records that are shared between the parts of the package: frozen dataclasses of NumPy arrays and plain Python values."""
