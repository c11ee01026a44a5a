"""What can be asked of an activation index: tables, filters, ranges, near-copies and maps of units."""
