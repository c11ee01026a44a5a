"""Image sets: folders, data sets, the default photographs, and labels."""
