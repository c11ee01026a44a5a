"""Which layer of one model is compared with which of another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.arguments import texts
from deconvwidgets.errors import ComparisonError, LayerError
from deconvwidgets.instruments.comparison.records import Pairing
from deconvwidgets.records.layers import LayerInfo

Pairs = list[tuple[int, int, Pairing]]
Layers = str | Sequence[str] | Mapping[str, str] | None
_SHARE = 0.5  # of all names of two models that both have, at least, so that equal names stand for equal layers


@dataclass(frozen=True, slots=True)
class ChosenLayers:
    """The layers that a caller chose, by name.

    Attributes
    ----------
    a, b : tuple of str or None
        None for the default layers.
    given : bool
        Whether they are pairs.
    """

    a: tuple[str, ...] | None
    b: tuple[str, ...] | None
    given: bool


def chosen_layers(layers: object) -> ChosenLayers:
    """Return the layers that a caller chose. Raises ComparisonError for anything but names, or a dict of names to names."""
    if layers is None:
        return ChosenLayers(None, None, False)
    expected = 'the names of one or more layers, or a dict of layers of a to layers of b such as {"conv1": "features.0"}'
    if isinstance(layers, Mapping):
        first, second = (tuple(texts(list(names), "layers", expected, ComparisonError)) for names in (layers, layers.values()))
        return ChosenLayers(first, second, True)
    names = tuple(dict.fromkeys(texts(layers, "layers", expected, ComparisonError)))
    return ChosenLayers(names, names, True)


def find_layers(find: Callable[[str], LayerInfo], names: Sequence[str], model: str) -> list[LayerInfo]:
    """Return a model's layers of these names. Raises ComparisonError for an unknown one."""
    try:
        return [find(name) for name in names]
    except LayerError as error:
        raise ComparisonError(
            f"{model}: {error}. If the layers of the two models have other names, choose pairs: layers={{'layer of a': 'layer of b'}}."
        ) from error


def pair_layers(infos_a: Sequence[LayerInfo], infos_b: Sequence[LayerInfo], cka: NDArray[np.float64]) -> Pairs:
    """Return the pairs of layers as numbers in both lists, in the order of a, and why.

    If at least half of the names (dotted names, else aliases) of both models' layers are common, layers with the same name are paired.
    A layer of a without one is paired with that layer of b with which it has the highest CKA; it is left out if no CKA is known.

    Parameters
    ----------
    infos_a, infos_b : sequences of LayerInfo
    cka : ndarray of shape (len(infos_a), len(infos_b)), float64
    """
    by_name = _by_name([info.name for info in infos_a], [info.name for info in infos_b])
    by_name = by_name or _by_name([info.alias for info in infos_a], [info.alias for info in infos_b])
    pairs: Pairs = []
    for row in range(len(infos_a)):
        if row in by_name:
            pairs.append((row, by_name[row], "name"))
        elif np.isfinite(cka[row]).any():
            pairs.append((row, int(np.nanargmax(cka[row])), "CKA"))
    return pairs


def _by_name(names_a: Sequence[str | None], names_b: Sequence[str | None]) -> dict[int, int]:
    """Return which layers have the same name, unless the names of the two models have too little in common."""
    of_b = {name: column for column, name in enumerate(names_b) if name is not None}
    common = {row: of_b[name] for row, name in enumerate(names_a) if name is not None and name in of_b}
    every = {name for name in (*names_a, *names_b) if name is not None}
    return common if len(common) >= _SHARE * max(len(every), 1) else {}
