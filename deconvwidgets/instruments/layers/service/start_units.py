"""Units to start with, of the models that `load_model` loads without a connection. benchmarks/choose_start_units.py chose them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from deconvwidgets.instruments.layers.records import StartUnit
from deconvwidgets.strict_json import read_json

_FILE = Path(__file__).with_name("start_units.json")


def start_units(digest: str) -> tuple[StartUnit, ...]:
    """Return the units to start with of a layer.

    Parameters
    ----------
    digest : str
        The digest of the model up to the layer, as an index has it. Other weights have other units, so that nothing is returned for them.
    """
    return _by_digest().get(digest, ())


@lru_cache(maxsize=1)
def _by_digest() -> dict[str, tuple[StartUnit, ...]]:
    models = read_json(_FILE)
    layers = [layer for model in models.values() for layer in model["layers"].values()]
    return {layer["digest"]: tuple(StartUnit(*unit) for unit in layer["units"]) for layer in layers}
