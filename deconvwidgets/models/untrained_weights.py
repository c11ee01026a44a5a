"""Labels of models whose weights are random."""

from __future__ import annotations

UNTRAINED = "random weights, untrained"
UNTRAINED_NOTE = "The weights are random and untrained: activations have no meaning."


def labelled_weights(weights: str) -> str:
    """Return a description of random weights that says that they are."""
    return weights if "random" in weights else f"{UNTRAINED} ({weights})"


def labelled_notes(notes: tuple[str, ...]) -> tuple[str, ...]:
    """Return notes with the one that the weights are random."""
    return notes if UNTRAINED_NOTE in notes else (UNTRAINED_NOTE, *notes)
