"""The figures as PNG, SVG, HTML and CSV files, drawn from records."""
