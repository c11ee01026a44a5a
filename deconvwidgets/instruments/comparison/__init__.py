"""Two models side by side: matched units, similarity of layers, and what changed."""
