"""The checks of a diagnosis."""
