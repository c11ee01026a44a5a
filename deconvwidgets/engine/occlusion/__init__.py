"""Feature maps of an occluded image, of which only the region that the patch affects is recomputed."""
