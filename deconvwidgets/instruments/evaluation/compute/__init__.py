"""The evaluation itself: labels, the forward passes, and scores."""
