"""The EvolutionExplorer: how features come to be while a network is trained."""
