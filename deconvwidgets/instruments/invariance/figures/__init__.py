"""Figures, pages and tables of invariance curves."""
