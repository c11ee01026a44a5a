"""Answers the requests of an EvolutionExplorer."""
