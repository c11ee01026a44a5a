"""Values that cross the borders between the parts: frozen, of NumPy arrays and plain Python values."""
