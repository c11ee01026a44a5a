"""The OcclusionExplorer: a model's predictions and activations with parts of an image occluded (Zeiler & Fergus 2014, figure 7)."""
