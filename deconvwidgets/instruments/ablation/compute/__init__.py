"""Training the variants of an ablation study, and reading its folder."""
