"""What each of two models is asked for, when both see the same photograph with the same patches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.instruments.occlusion.records import MapsSettings, OcclusionMaps, OcclusionRequest

Size = tuple[int, int]  # (rows, columns) of a model's input


@dataclass(frozen=True, slots=True)
class SideChoices:
    """Of one model: the size of its input, and the names of its classes; None if it predicts nothing."""

    input: Size
    classes: tuple[str, ...] | None


def plain_name(name: str) -> str:
    """Return the name of a class as it is compared with those of another model: "Sea_Lion" is "sea lion"."""
    return " ".join(name.replace("_", " ").replace("-", " ").lower().split())


def class_of_name(name: str | None, classes: Sequence[str] | None) -> int | None:
    """Return the class of a name, in any spelling of it; None if there is none."""
    if name is None or classes is None:
        return None
    if name in classes:
        return classes.index(name)
    found = [number for number, other in enumerate(classes) if plain_name(other) == plain_name(name)]
    return found[0] if found else None


def scaled(state: Mapping[str, Any], from_size: Size, to_size: Size) -> dict[str, Any]:
    """Return window, patches and stride of a state in the pixels of another input."""
    ratio = (to_size[0] / from_size[0], to_size[1] / from_size[1])

    def pair(values: Sequence[int]) -> list[int]:
        return [max(1, int(value * part + 0.5)) for value, part in zip(values, ratio, strict=True)]

    patches = [[row * ratio[0], column * ratio[1]] for row, column in state["patches"]]
    return {"window": pair(state["window"]), "stride": pair(state["stride"]), "patches": patches}


def occlusion_requests(state: Mapping[str, Any], choices: tuple[SideChoices, SideChoices], name_a: str | None) -> list[OcclusionRequest]:
    """Return the requests of both models. `name_a` is the name of A's target; that of B is the same one, unless the state has another."""
    name_b = state["target_b"] if state["target_b"] is not None else name_a
    targets = (class_of_name(state["target_a"], choices[0].classes), class_of_name(name_b, choices[1].classes))
    return [OcclusionRequest(state["image"], None, None, target, state["fill"], None) for target in targets]


def maps_settings(state: Mapping[str, Any]) -> MapsSettings:
    """Return the grid of the maps of a state."""
    (rows, columns), (down, right) = state["window"], state["stride"]
    return MapsSettings((rows, columns), (down, right), state["border"])


def difference_of(first: OcclusionMaps, second: OcclusionMaps, sizes: tuple[Size, Size]) -> NDArray[np.float64] | None:
    """Return the map of A minus that of B at the nearest position, on the positions of A (rows, columns).

    None if one of them predicts nothing, or if one has probabilities and the other values.
    """
    if first.scores is None or second.scores is None or (first.value is None) != (second.value is None):
        return None
    rows = _nearest(first.centres[:, 0, 0] * sizes[1][0] / sizes[0][0], second.centres[:, 0, 0])
    columns = _nearest(first.centres[0, :, 1] * sizes[1][1] / sizes[0][1], second.centres[0, :, 1])
    return np.asarray(first.scores.astype(np.float64) - second.scores.astype(np.float64)[np.ix_(rows, columns)])


def _nearest(places: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.asarray(np.abs(places[:, None] - centres[None, :]).argmin(axis=1), np.int64)
