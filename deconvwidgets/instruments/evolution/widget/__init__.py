"""The EvolutionExplorer as a widget."""
