"""The figures of comparisons as HTML, CSV, JSON and XML, made from records."""
