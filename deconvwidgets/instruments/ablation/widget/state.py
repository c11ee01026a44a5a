"""The state of an AblationPanel: which variants a start trains, and what is shown of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deconvwidgets.arguments import describe, one_of
from deconvwidgets.errors import ServiceError
from deconvwidgets.widgets.state import State, StateMessages

MESSAGES = StateMessages("AblationPanel", "{'measure': 'top1', 'variant': 'zfnet'}")
MEASURES = ("top1", "top5", "train")
DEFAULTS: State = {"measure": "top1", "chosen": None, "variant": None, "seed": None}


def checked_state(state: Mapping[str, Any], current: Mapping[str, Any], variants: Sequence[str], seeds: Sequence[int]) -> State:
    """Return the whole state after `state`, which may be a part, was set.

    `chosen` are the variants that a start trains, None: all. `variant` and `seed` are shown in detail. Raises ServiceError for an unknown
    key or value. As long as there is no study in the folder, no variant can be named.
    """
    MESSAGES.known_keys(MESSAGES.mapping(state), DEFAULTS)
    merged = {**DEFAULTS, **current, **state}
    one_of(merged["measure"], "measure", MEASURES)
    chosen = merged["chosen"]
    if chosen is not None:
        if not isinstance(chosen, list | tuple) or not all(isinstance(name, str) and name in variants for name in chosen):
            raise ServiceError(f"chosen must be None or a list of names of variants, {_listed(variants)}, not {describe(chosen)}.")
        merged["chosen"] = [name for name in variants if name in chosen]
    variant, seed = merged["variant"], merged["seed"]
    if variant is not None and not (isinstance(variant, str) and variant in variants):
        raise ServiceError(f"There is no variant {describe(variant)}: choose {_listed(variants)}, or None.")
    if seed is not None and not (isinstance(seed, int) and not isinstance(seed, bool) and seed in seeds):
        raise ServiceError(
            f"There is no seed {describe(seed)}: choose {', '.join(map(str, seeds)) or 'one once there is a study'}, or None."
        )
    return merged


def _listed(variants: Sequence[str]) -> str:
    return ", ".join(variants) if variants else "once there is a study"
