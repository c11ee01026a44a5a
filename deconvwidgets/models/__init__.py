"""Model bundles: where a network and its weights come from, and how a picture becomes its input."""
