"""The curves of a training as PNG, SVG, PDF and CSV files, made from records."""
