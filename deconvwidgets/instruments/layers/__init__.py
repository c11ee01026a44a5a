"""The LayerExplorer: every unit's strongest activations beside their projections (Zeiler & Fergus 2014, figure 2)."""
