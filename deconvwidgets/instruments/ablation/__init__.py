"""Ablation studies: variants of a network, trained alike with several seeds, and compared (Zeiler & Fergus 2014, table 3)."""
