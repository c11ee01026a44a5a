"""The experiment: photographs are transformed, and the distances of their features measured."""
