"""The OcclusionExplorer: what the network answers when part of the image is covered (Zeiler & Fergus 2014, figure 7)."""
