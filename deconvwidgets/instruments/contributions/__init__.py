"""Which units drive an answer: contributions, deletion curves, ablation, and the units that feed a unit."""
