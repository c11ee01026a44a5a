"""Drawings, their rendering as PNG and SVG, and HTML pages."""
