"""The parts of a recipe in words, each with what Zeiler & Fergus 2014 say about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from deconvwidgets.instruments.training.records import RecipePart

_OFF = "off"
_PAPER = {
    "batch_size": 128,
    "learning_rate": 1e-2,
    "momentum": 0.9,
    "dropout": 0.5,
    "initial_std": 1e-2,
    "max_filter_rms": 0.1,
    "crops": "corners",
    "flips": True,
}
_CROPS = {"random": "at random places", "corners": "corners or centre", None: "off: always the centre"}


def recipe_parts(recipe: Mapping[str, Any]) -> tuple[RecipePart, ...]:
    """Return the parts of a recipe.

    Parameters
    ----------
    recipe : mapping
        The fields of a Recipe as plain values, as training.json has them. Fields that it lacks are left out, unknown ones are ignored.

    Examples
    --------
    >>> [part.value for part in recipe_parts({"batch_size": 128, "flips": False})]
    ['128 images', 'off']
    """
    return tuple(part for make in _MAKERS for part in make(recipe))


def _optimizer(recipe: Mapping[str, Any]) -> list[RecipePart]:
    own = recipe.get("optimizer")
    if own is not None:
        return [RecipePart("Optimiser", str(own), True, "changed", "SGD, momentum 0.9")]
    parts = []
    if "momentum" in recipe:
        momentum = recipe["momentum"]
        parts.append(_part(recipe, "momentum", "Optimiser", f"SGD, momentum {momentum:g}" if momentum else "SGD, no momentum"))
    if recipe.get("weight_decay") is not None:
        decay = recipe["weight_decay"]
        parts.append(RecipePart("Weight decay", f"{decay:g}" if decay else _OFF, bool(decay), "ours"))
    return parts


def _learning_rate(recipe: Mapping[str, Any]) -> list[RecipePart]:
    schedule = recipe.get("schedule")
    if schedule is not None:
        return [RecipePart("Learning rate", f"schedule {schedule}", True, "changed", "0.01, annealed by hand")]
    parts = []
    if "learning_rate" in recipe and recipe.get("optimizer") is None:
        parts.append(_part(recipe, "learning_rate", "Learning rate", f"{recipe['learning_rate']:g}"))
    if "annealing_factor" in recipe:
        factor, patience = recipe["annealing_factor"], recipe.get("annealing_patience", 0)
        words = _OFF if factor is None else f"× {factor:g} after {patience} epochs without improvement"
        parts.append(RecipePart("Annealing", words, factor is not None, "ours", "by hand, when the validation stalls"))
    return parts


def _number(key: str, name: str, words: Callable[[Any], str]) -> Callable[[Mapping[str, Any]], list[RecipePart]]:
    return lambda recipe: [_part(recipe, key, name, words(recipe[key]))] if key in recipe else []


def _validation(recipe: Mapping[str, Any]) -> list[RecipePart]:
    share = recipe.get("validation_share")
    if share is None:
        return []
    return [RecipePart("Held out for validation", f"{share:.0%} of each class" if share else _OFF, bool(share), "ours")]


def _part(recipe: Mapping[str, Any], key: str, name: str, words: str) -> RecipePart:
    value, paper = recipe[key], _PAPER[key]
    same = value == paper
    return RecipePart(name, words, value not in (None, False, 0), "paper" if same else "changed", "" if same else _paper_words(key))


def _paper_words(key: str) -> str:
    value = _PAPER[key]
    return {"crops": "corners or centre", "flips": "on", "batch_size": "128 images"}.get(key, f"{value:g}" if value is not True else "on")


def _dropout(value: Any) -> str:
    return "as the network has it" if value is None else f"{value:g}" if value else _OFF


def _kept(unit: str) -> Callable[[Any], str]:
    return lambda value: unit if value is None else "the paper's, if it fits" if value == "auto" else f"{value:g}"


_MAKERS: tuple[Callable[[Mapping[str, Any]], list[RecipePart]], ...] = (
    _number("batch_size", "Batch", lambda value: f"{value} images"),
    _optimizer,
    _learning_rate,
    _number("dropout", "Dropout", _dropout),
    _number(
        "initial_std", "Initial weights", lambda value: "as the network has them" if value is None else f"deviation {_kept('')(value)}"
    ),
    _number("max_filter_rms", "Filters rescaled above RMS", _kept(_OFF)),
    _number("crops", "Crops", lambda value: _CROPS.get(value, str(value))),
    _number("flips", "Flips", lambda value: "on" if value else _OFF),
    _validation,
)
