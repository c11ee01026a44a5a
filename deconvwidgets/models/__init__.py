"""Models with their weights, preprocessing and classifiers."""
