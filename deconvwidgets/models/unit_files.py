"""Saving and loading of the factors of units, as a JSON file with the digests of their layers."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deconvwidgets.arguments import as_integer, describe, finite_number
from deconvwidgets.atomic_file import way_on, write_atomic
from deconvwidgets.engine import Network
from deconvwidgets.errors import LayerError
from deconvwidgets.paths import as_path, refuse_special_file
from deconvwidgets.strict_json import StrictJsonError, read_json

if TYPE_CHECKING:
    from deconvwidgets.models.bundle import ModelBundle

_FORMAT = "deconvwidgets units 1"
_EXTENSION = ".json"
_WAY_ON = "Give the path of a file that was saved with dw.save_units."

_Units = dict[tuple[str, int], float]


def save_units(bundle: ModelBundle, path: str | os.PathLike[str]) -> Path:
    """Save the units of a bundle that are switched off or scaled, as a JSON file. The file is written atomically.

    It has the name of the model, and of each layer its dotted name, alias, digest (of the unchanged model up to the layer) and units.

    Parameters
    ----------
    bundle : ModelBundle
        A bundle as `with_units` returns it.
    path : str or path
        The file. ".json" is added if it has no extension.

    Returns
    -------
    pathlib.Path
        The path of the file.

    Raises
    ------
    LayerError
        If `bundle` is no ModelBundle, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from deconvwidgets import load_model
    >>> bundle = load_model("alexnet")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save_units(bundle.with_units({("conv5", 133): 0.0}), f"{folder}/background")
    ...     bundle.with_units(path).units
    {('features.11', 133): 0.0}
    """
    units = getattr(bundle, "units", None)
    if not isinstance(units, dict):
        raise LayerError(f"save_units needs a bundle, such as bundle.with_units({{...}}), not {describe(bundle)}.")
    target = as_path(path, "path", LayerError)
    target = target if target.suffix or not target.name else target.with_suffix(_EXTENSION)
    text = json.dumps(_described(bundle), indent=1, ensure_ascii=False)
    try:
        write_atomic(target, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise LayerError(
            f"The units cannot be saved as {target} ({error.strerror}). {way_on(error, 'Choose an existing folder with write permission')}."
        ) from error
    return target


def load_units(path: str | os.PathLike[str], bundle: ModelBundle) -> dict[tuple[str, int], float]:
    """Load units that were saved with `save_units`.

    Parameters
    ----------
    path : str or path
        The file.
    bundle : ModelBundle
        The model that they are of.

    Returns
    -------
    dict of (str, int) to float
        Factors by (dotted name of the layer, unit), for `bundle.with_units` and `service.set_units`, which also take the path itself.

    Raises
    ------
    LayerError
        If the file does not exist, is not one of units, or if its units are those of another model or other weights.

    Examples
    --------
    >>> import tempfile
    >>> from deconvwidgets import load_model
    >>> bundle = load_model("alexnet").with_units({("conv5", 133): 0.0, ("conv1", 3): 2.0})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load_units(save_units(bundle, f"{folder}/units.json"), bundle)
    {('features.1', 3): 2.0, ('features.11', 133): 0.0}
    """
    base = getattr(bundle, "unchanged", None) or bundle
    if not isinstance(getattr(base, "units", None), dict):
        raise LayerError(f"load_units needs the bundle of the model that the units are of, not {describe(bundle)}.")
    return read_units(path, base.network, base.name)


def read_units(path: object, network: Network, model: str) -> dict[tuple[str, int], float]:
    """Return the factors of a file by (dotted name of the layer, unit).

    Parameters
    ----------
    network : Network
        The unchanged model. The digests of the file's layers must be those of its layers.
    model : str
        The name of the model, for error messages.

    Raises
    ------
    LayerError
        As for `load_units`.
    """
    source = as_path(path, "the path of a file of units", LayerError)
    content = _read(source)
    try:
        saved_model, layers = content["model"], content["layers"]
        if not isinstance(saved_model, str) or not isinstance(layers, list):
            raise TypeError("'model' must be a string, and 'layers' a list")
        units: _Units = {}
        for layer in layers:
            for key, factor in _checked_layer(layer, network, f"{source} has units of {saved_model}", model):
                if units.setdefault(key, factor) != factor:
                    raise ValueError(f"unit {key[1]} of {key[0]} has two factors, {units[key]:g} and {factor:g}")
    except (KeyError, TypeError, ValueError) as error:
        raise LayerError(f"{source} is not a file of units, or is damaged ({error}). {_WAY_ON}") from error
    return units


def _described(bundle: ModelBundle) -> dict[str, Any]:
    network = (bundle.unchanged or bundle).network
    layers: dict[str, list[tuple[int, float]]] = {}
    for (name, unit), factor in bundle.units.items():
        layers.setdefault(name, []).append((unit, factor))
    listed = [
        {"name": name, "alias": network.layer(name).alias, "digest": network.digest(name), "units": units} for name, units in layers.items()
    ]
    return {"format": _FORMAT, "model": bundle.name, "layers": listed}


def _read(source: Path) -> dict[str, Any]:
    """Return the content of a file. Raises LayerError if it is no JSON object of the format."""
    refuse_special_file(source, LayerError, _WAY_ON)
    if not source.is_file():
        raise LayerError(f"There is no file of units {source}. {_WAY_ON}")
    try:
        content = read_json(source)  # a file of a million units has 15 MB
    except (OSError, StrictJsonError) as error:
        raise LayerError(f"{source} is not a file of units, or is damaged ({error}). {_WAY_ON}") from error
    found = content.get("format") if isinstance(content, dict) else None
    if not isinstance(content, dict) or found != _FORMAT:
        raise LayerError(f"{source} is not a file of units of this version (format {describe(found)}). {_WAY_ON}")
    return content


def _checked_layer(layer: dict[str, Any], network: Network, saved: str, model: str) -> list[tuple[tuple[str, int], float]]:
    """Return the factors of one layer of a file. Raises KeyError, TypeError or ValueError if it is no layer of units."""
    if not isinstance(layer, dict) or not isinstance(layer["name"], str) or not isinstance(layer["units"], list):
        raise TypeError("a layer must have a 'name' and a list of 'units'")
    other = "Use it with the model that it was saved of."
    try:
        info = network.layer(layer["name"])
    except LayerError as error:
        raise LayerError(f"{saved}'s layer {describe(layer['name'])}, which {model} does not have. {other}") from error
    short = info.alias or info.name
    if network.digest(info.name) != layer["digest"]:
        raise LayerError(f"{saved}'s {short} with other weights or another structure than {model} has here up to that layer. {other}")
    return [((info.name, _unit(pair, info.channels, short)), _factor(pair)) for pair in layer["units"]]


def _unit(pair: object, channels: int, layer: str) -> int:
    unit = as_integer(pair[0]) if isinstance(pair, list) and len(pair) == 2 else None
    if unit is None or not 0 <= unit < channels:
        raise ValueError(f"a unit of {layer} must be [unit, factor] with a unit from 0 to {channels - 1}, not {describe(pair)}")
    return unit


def _factor(pair: list[Any]) -> float:
    factor = finite_number(pair[1])
    if factor is None:
        raise ValueError(f"the factor of unit {pair[0]} must be a finite number, not {describe(pair[1])}")
    return factor
