"""Occluding an image, and recomputing of its feature maps only what the patch touches."""
