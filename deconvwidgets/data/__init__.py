"""Models and pictures: where weights and photographs come from, and how a picture becomes an input."""
