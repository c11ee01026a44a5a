"""A TransferPanel's state as a plain dict: what each key may hold, and the settings of a run that it comes to."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deconvwidgets.errors import HeadError, ServiceError
from deconvwidgets.instruments.transfer.records import TransferSettings, TransferStatus
from deconvwidgets.widgets.state_trait import State, StateWords, one_of, whole

WORDS = StateWords("TransferPanel", "{'data': 'caltech101', 'images_per_class': 30}")
_CHOICES: dict[str, tuple[str, ...]] = {
    "views": ("one", "flips", "ten"),
    "tab": ("training", "curve"),
    "show": ("summary", "confusion", "classes", "mistakes"),
    "sort": ("worst", "best", "name", "size"),
    "order": ("name", "accuracy"),
}
SETTINGS = ("data", "root", "layer", "images_per_class", "folds", "weight_decay", "views", "seed", "curve")
DEFAULTS: State = {
    "data": None,  # None becomes the first that is at hand
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
_FEWER = {"photo-crops": 4}  # training images a class where fewer than the default are at hand
_CURVE = (1, 2, 5, 10, 15, 20, 30, 45, 60)  # numbers of training images a class


def checked_state(wanted: Mapping[str, Any], now: Mapping[str, Any], status: TransferStatus) -> State:
    """The whole state after setting `wanted`; keys that it leaves out keep their value of `now`.

    Opened anew (`now` empty), runs of another kernel are forgotten. Raises ServiceError, or HeadError for a run that there is not.
    """
    WORDS.known_keys(WORDS.mapping(wanted), DEFAULTS)
    merged = {**DEFAULTS, **now, **wanted}
    merged["data"] = _data(merged["data"], status)
    if not now and wanted.get("images_per_class") is None:
        merged["images_per_class"] = _FEWER.get(merged["data"], DEFAULTS["images_per_class"])
    merged["root"] = _root(merged["root"])
    merged["layer"] = _layer(merged["layer"], status)
    for key, what in (("images_per_class", "number of training images a class"), ("folds", "number of folds")):
        merged[key] = whole(merged[key], what)
        if merged[key] < 1:
            raise ServiceError(f"The {what} is 1 or more, not {merged[key]}.")
    merged["seed"] = whole(merged["seed"], "seed")
    if merged["seed"] < 0:
        raise ServiceError(f"A seed is 0 or more, not {merged['seed']}.")
    merged["weight_decay"] = _weight_decay(merged["weight_decay"])
    if not isinstance(merged["curve"], bool):
        raise ServiceError(f"'curve' says whether a learning curve follows: True or False, not {merged['curve']!r}.")
    for key, choices in _CHOICES.items():
        one_of(merged[key], key, choices)
    for key in ("run", "compare"):
        merged[key] = _run(merged[key], status, anew=not now)
    moved = bool(now) and merged["run"] != now.get("run") and merged["cell"] == now.get("cell")
    merged["cell"] = None if moved else _cell(merged["cell"])
    return merged


def settings_of(state: Mapping[str, Any]) -> TransferSettings:
    """The settings of a run that a checked state asks for."""
    named = {name: state[name] for name in SETTINGS if name != "curve"}
    return TransferSettings(**named, curve=_curve(state["images_per_class"]) if state["curve"] else ())


def wanted_settings(wanted: object, status: TransferStatus) -> TransferSettings:
    """The settings that a front end sends. Raises ServiceError for what they cannot be."""
    given = WORDS.mapping(wanted)
    return settings_of(checked_state({name: given[name] for name in SETTINGS if name in given}, {}, status))


def _curve(images_per_class: int) -> tuple[int, ...]:
    """Numbers of training images a class up to the one that is asked for."""
    return (*(number for number in _CURVE if number < images_per_class), images_per_class)


def _data(data: object, status: TransferStatus) -> str:
    if data is None:
        at_hand = [choice.data for choice in status.choices if not choice.hint] or [choice.data for choice in status.choices]
        return at_hand[0] if at_hand else "images"
    if isinstance(data, Path):
        data = str(data)
    if not isinstance(data, str) or not data.strip():
        names = ", ".join(repr(choice.data) for choice in status.choices)
        raise ServiceError(f"The data to train on is a name ({names}) or the path of a folder or zip, not {data!r}.")
    return data.strip()


def _root(root: object) -> str | None:
    if isinstance(root, Path):
        root = str(root)
    if root is not None and not isinstance(root, str):
        raise ServiceError(f"'root' is the folder where the Caltechs lie, as a string, not {root!r}; None: DECONVWIDGETS_DATA.")
    return root.strip() or None if root else None


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
    if isinstance(value, bool) or not hasattr(value, "__float__") or isinstance(value, str):
        raise ServiceError(f"A weight decay is a number, or None to have it chosen, not {value!r}.")
    decay = float(value.__float__())
    if not (math.isfinite(decay) and decay > 0):
        raise ServiceError(f"A weight decay is greater than 0, not {decay:g}; None has it chosen on held-out training images.")
    return decay


def _run(run: object, status: TransferStatus, anew: bool) -> int | None:
    if run is None:
        return None
    number = whole(run, "run")
    if any(summary.run == number for summary in status.runs):
        return number
    if anew:
        return None
    there = f"the last one is {status.runs[-1].run}" if status.runs else "none was started yet"
    raise HeadError(f"There is no run {number}: {there}.")


def _cell(cell: object) -> list[int] | None:
    if cell is None:
        return None
    if not isinstance(cell, list | tuple) or len(cell) != 2:
        raise ServiceError(f"A cell of the confusion matrix is written [truth, prediction], as two numbers of classes, not {cell!r}.")
    truth, prediction = (whole(number, "class in a cell") for number in cell)
    if truth < 0 or prediction < 0:
        raise ServiceError(f"Classes are counted from 0: there is no cell {cell!r}.")
    return [truth, prediction]
