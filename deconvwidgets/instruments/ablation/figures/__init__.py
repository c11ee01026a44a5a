"""The table of an ablation study as CSV, JSON, HTML, PNG, SVG and PDF files, made from records."""
