"""The figures of evaluations as PNG, SVG, PDF, HTML and CSV files, made from records."""
