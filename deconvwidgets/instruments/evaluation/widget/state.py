"""The state of an EvaluationPanel: its keys, their check, and the settings of a run that follow from it."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any

from deconvwidgets.arguments import finite_number, flag, integer, one_of
from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.evaluation.settings import EvaluationSettings, EvaluationStatus
from deconvwidgets.widgets.class_state import ORDERS, SORTS, checked_cell, checked_data, checked_root, checked_run
from deconvwidgets.widgets.state import State, StateMessages

MESSAGES = StateMessages("EvaluationPanel", "{'data': 'caltech101', 'show': 'mistakes'}")
SETTINGS = ("data", "root", "limit", "mapping", "threshold", "automatic")
_CHOICES: dict[str, tuple[str, ...]] = {
    "show": ("summary", "confusion", "classes", "mistakes", "changes", "names"),
    "sort": SORTS,
    "order": ORDERS,
}
DEFAULTS: State = {
    "data": None,  # None becomes the first available image set: the photographs of the service, if they have labels
    "root": None,
    "limit": None,  # at most so many photographs, evenly spaced
    "mapping": {},  # class of the image set -> names of the model's classes; an empty list leaves it out
    "threshold": 0.5,  # of a multi-label model
    "automatic": True,  # evaluate again when the model changes
    "run": None,  # the run that is shown; None: the newest
    "before": None,  # the run to compare it with; None: the complete run before it
    "show": "summary",
    "cell": None,  # [truth, prediction] of the confusion matrix
    "sort": "worst",
    "order": "name",
    "label": None,  # the class whose photographs are shown, of a multi-label model
    "output": 0,  # the output that is shown, of a regression
}


def checked_state(state: Mapping[str, Any], current: Mapping[str, Any], status: EvaluationStatus) -> State:
    """Return the whole state after `state`, which may be a part, was set.

    In a new panel (`current` is empty) runs of another kernel are dropped.

    Raises
    ------
    ServiceError
        For an unknown key or an invalid value.
    """
    MESSAGES.known_keys(MESSAGES.mapping(state), DEFAULTS)
    merged = {**DEFAULTS, **current, **state}
    names = [choice.data for choice in status.choices]
    merged["data"] = checked_data(merged["data"], names, [choice.data for choice in status.choices if not choice.hint])
    merged["root"] = checked_root(merged["root"])
    if merged["limit"] is not None:
        merged["limit"] = integer(merged["limit"], "limit", 1)
    merged["mapping"] = _mapping(merged["mapping"])
    merged["threshold"] = _threshold(merged["threshold"])
    merged["automatic"] = flag(merged["automatic"], "automatic")
    for key, choices in _CHOICES.items():
        one_of(merged[key], key, choices)
    runs = [summary.run for summary in status.runs]
    for key in ("run", "before"):
        merged[key] = checked_run(merged[key], runs, not current)
    for key in ("label", "output"):
        if merged[key] is not None or key == "output":
            merged[key] = integer(merged[key], key, 0)
    moved = bool(current) and merged["run"] != current.get("run") and merged["cell"] == current.get("cell")
    merged["cell"] = None if moved else checked_cell(merged["cell"])
    return merged


def evaluation_settings(state: Mapping[str, Any]) -> EvaluationSettings:
    """Return the settings of a run from a checked state."""
    mapping = {name: tuple(classes) for name, classes in state["mapping"].items()}
    return EvaluationSettings(**{**{name: state[name] for name in SETTINGS}, "mapping": mapping})


def requested_settings(values: object, status: EvaluationStatus) -> EvaluationSettings:
    """Return the settings that a front end sent. Raises ServiceError for invalid ones."""
    state = MESSAGES.mapping(values)
    return evaluation_settings(checked_state({name: state[name] for name in SETTINGS if name in state}, {}, status))


def _mapping(mapping: object) -> dict[str, list[str]]:
    """Return a mapping with a list of names for each class. A single name may stand for a list of one, None for an empty list."""
    if not isinstance(mapping, Mapping):
        raise _invalid_mapping(mapping)
    return {_class_name(name, mapping): _class_names(classes, mapping) for name, classes in mapping.items()}


def _class_name(name: object, mapping: object) -> str:
    if not isinstance(name, str) or not name:
        raise _invalid_mapping(mapping)
    return name


def _class_names(classes: object, mapping: object) -> list[str]:
    if classes is None:
        return []
    if isinstance(classes, str):
        classes = [classes]
    if not isinstance(classes, list | tuple):
        raise _invalid_mapping(mapping)
    return list(dict.fromkeys(_class_name(name, mapping) for name in classes))


def _invalid_mapping(mapping: object) -> ServiceError:
    return ServiceError(
        "'mapping' is a dict of class names of the image set with the names of the model's classes, such as "
        f"{{'cat': ['tabby', 'Siamese cat']}}, with an empty list to leave a class out, not {reprlib.repr(mapping)}."
    )


def _threshold(value: object) -> float:
    threshold = finite_number(value)
    if threshold is None or not 0 < threshold < 1:
        raise ServiceError(f"The threshold is a probability greater than 0 and less than 1, not {value!r}.")
    return threshold
