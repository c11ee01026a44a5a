"""Comparing the units of two models over the same images."""
