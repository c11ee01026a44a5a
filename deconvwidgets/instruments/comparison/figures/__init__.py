"""The figures of the experiment as PNG, SVG, HTML and CSV files, made from records."""
