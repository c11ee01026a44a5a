"""The state of a TrainingPanel: how the curves are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deconvwidgets.arguments import one_of
from deconvwidgets.widgets.state import State, StateMessages

MESSAGES = StateMessages("TrainingPanel", "{'accuracy': 'error', 'layers': 'ratio'}")
_CHOICES: dict[str, tuple[str, ...]] = {
    "accuracy": ("error", "accuracy"),  # errors, as the paper counts, or shares of correct predictions
    "layers": ("ratio", "weights", "updates"),  # of the RMS of each layer
}
DEFAULTS: State = {name: choices[0] for name, choices in _CHOICES.items()}


def checked_state(state: Mapping[str, Any], current: Mapping[str, Any]) -> State:
    """Return the whole state after `state`, which may be a part, was set. Raises ServiceError for an unknown key or value."""
    MESSAGES.known_keys(MESSAGES.mapping(state), DEFAULTS)
    merged = {**DEFAULTS, **current, **state}
    for key, choices in _CHOICES.items():
        one_of(merged[key], key, choices)
    return merged
