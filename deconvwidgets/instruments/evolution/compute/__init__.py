"""How the units of a network change from checkpoint to checkpoint."""
