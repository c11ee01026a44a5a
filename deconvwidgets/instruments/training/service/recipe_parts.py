"""The parts of a recipe in words, each with what Zeiler & Fergus 2014, section 3, say about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from deconvwidgets.instruments.training.records import RecipePart

_OFF = "off"
_CROPS = {"random": "at random places", "corners": "corners or centre"}
_PAPER: dict[str, tuple[Any, str]] = {  # value, and the value in words
    "batch_size": (128, "128 images"),
    "momentum": (0.9, "SGD, momentum 0.9"),
    "learning_rate": (1e-2, "0.01"),
    "dropout": (0.5, "0.5"),
    "initial_std": (1e-2, "standard deviation 0.01"),
    "max_filter_rms": (0.1, "0.1"),
    "crops": ("corners", _CROPS["corners"]),
    "flips": (True, "on"),
}
_AUTOMATIC = ("initial_std", "max_filter_rms")


def recipe_parts(recipe: Mapping[str, Any], of_paper: bool = False) -> tuple[RecipePart, ...]:
    """Return the parts of a recipe.

    Parameters
    ----------
    recipe : mapping
        The fields of a Recipe as plain values, as training.json has them. Fields that it lacks are left out, unknown ones are ignored.
    of_paper : bool
        Whether the network is one of the paper's, before any training: "auto" is then the paper's value, and nothing for other networks.

    Examples
    --------
    >>> [part.value for part in recipe_parts({"batch_size": 128, "flips": False})]
    ['128 images', 'off']
    >>> [part.value for part in recipe_parts({"dropout": None, "max_filter_rms": "auto"}, of_paper=True)]
    ['0.5', '0.1']
    """
    known = dict(recipe)
    for name in _AUTOMATIC:
        if known.get(name) == "auto":
            known[name] = _PAPER[name][0] if of_paper else None
    if of_paper and known.get("dropout", 0) is None:
        known["dropout"] = _PAPER["dropout"][0]  # that of these networks
    parts = (make(known) for make in _MAKERS)
    return tuple(part for part in parts if part is not None)


def _part(recipe: Mapping[str, Any], key: str, name: str, words: Callable[[Any], str]) -> RecipePart | None:
    """Return a part that the paper has, too."""
    if key not in recipe:
        return None
    value, (paper, paper_words) = recipe[key], _PAPER[key]
    used = value not in (None, False, 0)
    same = value == paper
    return RecipePart(name, words(value), used, "paper" if same else "changed", "" if same else paper_words)


def _batch(recipe: Mapping[str, Any]) -> RecipePart | None:
    return _part(recipe, "batch_size", "Batch", lambda value: f"{value} images")


def _optimizer(recipe: Mapping[str, Any]) -> RecipePart | None:
    own = recipe.get("optimizer")
    if own is not None:
        return RecipePart("Optimiser", str(own), True, "changed", _PAPER["momentum"][1])
    return _part(recipe, "momentum", "Optimiser", lambda value: f"SGD, momentum {_number(value)}" if value else "SGD, no momentum")


def _weight_decay(recipe: Mapping[str, Any]) -> RecipePart | None:
    if "weight_decay" not in recipe or recipe.get("optimizer") is not None:
        return None
    decay = recipe["weight_decay"]
    return RecipePart("Weight decay", _number(decay) if decay else _OFF, bool(decay), "ours")


def _learning_rate(recipe: Mapping[str, Any]) -> RecipePart | None:
    schedule = recipe.get("schedule")
    if schedule is not None:
        return RecipePart("Learning rate", _schedule_words(str(schedule)), True, "changed", "0.01, annealed by hand")
    return None if recipe.get("optimizer") is not None else _part(recipe, "learning_rate", "Learning rate", _number)


def _schedule_words(schedule: str) -> str:
    """Return what a recipe says of a schedule, the qualified name of its function and a digest of its code, without what only Python needs.

    >>> _schedule_words("falling.<locals>.learning_rate 5a7df2973a43")
    'own schedule, learning_rate'
    """
    name = schedule.split(" ")[0].rsplit(".", 1)[-1]
    return "own schedule" + ("" if name.startswith("<") else f", {name}")


def _annealing(recipe: Mapping[str, Any]) -> RecipePart | None:
    if "annealing_factor" not in recipe or recipe.get("schedule") is not None:
        return None
    factor, patience = recipe["annealing_factor"], recipe.get("annealing_patience", "some")
    words = _OFF if factor is None else f"× {_number(factor)} after {patience} epochs without improvement"
    return RecipePart("Annealing", words, factor is not None, "ours", "by hand, when the validation error stalls")


def _dropout(recipe: Mapping[str, Any]) -> RecipePart | None:
    if recipe.get("dropout", 0) is None:
        return RecipePart("Dropout", "the network's own", True, "ours", "0.5, as zfnet and alexnet have it")
    return _part(recipe, "dropout", "Dropout", lambda value: _number(value) if value else _OFF)


def _initial_weights(recipe: Mapping[str, Any]) -> RecipePart | None:
    def words(value: object) -> str:
        if value == "he":
            return "He et al. 2015"
        return "the network's own" if value is None else f"standard deviation {_number(value)}"

    return _part(recipe, "initial_std", "Initial weights", words)


def _filters(recipe: Mapping[str, Any]) -> RecipePart | None:
    return _part(
        recipe,
        "max_filter_rms",
        "Filters scaled down to RMS",
        lambda value: _OFF if value is None else _number(value),
    )


def _crops(recipe: Mapping[str, Any]) -> RecipePart | None:
    return _part(recipe, "crops", "Crops", lambda value: "off: the centre" if value is None else _CROPS.get(str(value), str(value)))


def _flips(recipe: Mapping[str, Any]) -> RecipePart | None:
    return _part(recipe, "flips", "Flips", lambda value: "on" if value else _OFF)


def _validation(recipe: Mapping[str, Any]) -> RecipePart | None:
    share = recipe.get("validation_share")
    if not isinstance(share, int | float):
        return None
    return RecipePart("Held out for validation", f"{share:.0%} of each class" if share else _OFF, bool(share), "ours")


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


_MAKERS: tuple[Callable[[Mapping[str, Any]], RecipePart | None], ...] = (
    _batch,
    _optimizer,
    _learning_rate,
    _annealing,
    _weight_decay,
    _dropout,
    _initial_weights,
    _filters,
    _crops,
    _flips,
    _validation,
)
