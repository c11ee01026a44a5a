"""The state of a TransferPanel: its keys, their check, and the settings of a run that follow from it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from deconvwidgets.arguments import finite_number, integer, one_of
from deconvwidgets.errors import HeadError, ServiceError
from deconvwidgets.instruments.transfer.records import TransferSettings, TransferStatus
from deconvwidgets.widgets.class_state import ORDERS, SORTS, checked_cell, checked_data, checked_root, checked_run
from deconvwidgets.widgets.state import State, StateMessages

MESSAGES = StateMessages("TransferPanel", "{'data': 'caltech101', 'images_per_class': 30}")
TABS = ("training", "curve")
_CHOICES: dict[str, tuple[str, ...]] = {
    "views": ("one", "flips", "ten"),
    "tab": TABS,
    "show": ("summary", "confusion", "classes", "mistakes"),
    "sort": SORTS,
    "order": ORDERS,
}
SETTINGS = ("data", "root", "layer", "images_per_class", "folds", "weight_decay", "views", "seed", "curve")
DEFAULTS: State = {
    "data": None,  # None becomes the first available data set: the photographs of the service, if they have labels
    "root": None,
    "layer": None,
    "images_per_class": 30,
    "folds": 5,
    "weight_decay": None,  # chosen on held-out training images
    "views": "one",
    "seed": 0,
    "curve": False,  # whether a learning curve follows the folds
    "run": None,  # the run that is shown; None: the newest
    "compare": None,
    "tab": "training",
    "show": "summary",
    "cell": None,  # [truth, prediction] of the confusion matrix
    "sort": "worst",
    "order": "name",
}
_CURVE = (1, 2, 5, 10, 15, 20, 30, 45, 60)  # numbers of training images per class


def checked_state(state: Mapping[str, Any], current: Mapping[str, Any], status: TransferStatus) -> State:
    """Return the whole state after `state`, which may be a part, was set.

    In a new panel (`current` is empty) runs of another kernel are dropped.

    Raises
    ------
    HeadError
        For an unknown run.
    ServiceError
        For an unknown key or any other invalid value.
    """
    MESSAGES.known_keys(MESSAGES.mapping(state), DEFAULTS)
    merged = {**DEFAULTS, **current, **state}
    merged["data"] = _data(merged["data"], status)
    if not current and state.get("images_per_class") is None:
        numbers = {choice.data: choice.images_per_class for choice in status.choices}
        merged["images_per_class"] = numbers.get(merged["data"], DEFAULTS["images_per_class"])
    merged["root"] = checked_root(merged["root"])
    merged["layer"] = _layer(merged["layer"], status)
    for key, name in (("images_per_class", "number of training images per class"), ("folds", "number of folds")):
        merged[key] = integer(merged[key], name)
        if merged[key] < 1:
            raise ServiceError(f"The {name} is 1 or more, not {merged[key]}.")
    merged["seed"] = integer(merged["seed"], "seed")
    if merged["seed"] < 0:
        raise ServiceError(f"A seed is 0 or more, not {merged['seed']}.")
    merged["weight_decay"] = _weight_decay(merged["weight_decay"])
    if not isinstance(merged["curve"], bool):
        raise ServiceError(f"'curve' is whether a learning curve follows, True or False, not {merged['curve']!r}.")
    for key, choices in _CHOICES.items():
        one_of(merged[key], key, choices)
    runs = [summary.run for summary in status.runs]
    for key in ("run", "compare"):
        merged[key] = checked_run(merged[key], runs, not current, HeadError)
    moved = bool(current) and merged["run"] != current.get("run") and merged["cell"] == current.get("cell")
    merged["cell"] = None if moved else checked_cell(merged["cell"])
    return merged


def transfer_settings(state: Mapping[str, Any]) -> TransferSettings:
    """Return the settings of a run from a checked state."""
    values = {name: state[name] for name in SETTINGS if name != "curve"}
    return TransferSettings(**values, curve=_curve(state["images_per_class"]) if state["curve"] else ())


def requested_settings(values: object, status: TransferStatus) -> TransferSettings:
    """Return the settings that a front end sent. Raises ServiceError for invalid ones."""
    state = MESSAGES.mapping(values)
    return transfer_settings(checked_state({name: state[name] for name in SETTINGS if name in state}, {}, status))


def _curve(images_per_class: int) -> tuple[int, ...]:
    """Return numbers of training images per class up to that of the run."""
    return (*(number for number in _CURVE if number < images_per_class), images_per_class)


def _data(data: object, status: TransferStatus) -> str:
    available = [choice.data for choice in status.choices if not choice.hint]
    return checked_data(data, [choice.data for choice in status.choices], available)


def _layer(layer: object, status: TransferStatus) -> str | None:
    names = [name for name, _ in status.layers]
    if layer is None or layer in names:
        return None if layer is None else str(layer)
    near = difflib.get_close_matches(str(layer), names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ServiceError(f"There is no layer {layer!r} to train on.{hint} There are {', '.join(names)}.")


def _weight_decay(value: object) -> float | None:
    if value is None:
        return None
    decay = finite_number(value)
    if decay is None or decay <= 0:
        raise ServiceError(f"A weight decay is a number greater than 0, not {value!r}; None chooses it on held-out training images.")
    return decay
