"""Invariance of features to transformations of the photograph (Zeiler & Fergus 2014, figure 5)."""
