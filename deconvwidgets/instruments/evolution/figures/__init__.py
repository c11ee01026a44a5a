"""Figures of the EvolutionExplorer, after figure 4 of Zeiler & Fergus 2014."""
