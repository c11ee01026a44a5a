"""Image sets: folders, data sets, photographs and their labels."""
