"""Which layers of a new model the frozen layers are."""

from __future__ import annotations

from collections.abc import Sequence

from deconvwidgets.arguments import texts
from deconvwidgets.errors import ComparisonError
from deconvwidgets.instruments.comparison.frozen_records import FrozenLayer, FrozenUnits
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.layers import LayerInfo


def layer_pairs(frozen: FrozenUnits, bundle: ModelBundle, layers: Sequence[str] | None) -> tuple[tuple[FrozenLayer, LayerInfo], ...]:
    """Return the chosen frozen layers with those of the new model. Raises ComparisonError if a layer is missing or differs in its maps."""
    if bundle.input_size != frozen.input_size:
        sizes = [" x ".join(map(str, size)) for size in (frozen.input_size, bundle.input_size)]
        raise ComparisonError(
            f"The units were frozen at an input of {sizes[0]}, and {bundle.name} takes {sizes[1]}: make its bundle with dw.load_model or "
            f"dw.ModelBundle.from_module(..., input_size={frozen.input_size}), which a function of --build can return, or freeze again."
        )
    return tuple((layer, _same_layer(layer.info, bundle)) for layer in _chosen(frozen, layers))


def _same_layer(frozen: LayerInfo, bundle: ModelBundle) -> LayerInfo:
    """Return the layer of the same alias, else of the same dotted name: an exported module has other dotted names."""
    layers = bundle.network.layers
    found = next((info for info in layers if frozen.alias is not None and info.alias == frozen.alias), None)
    found = found or next((info for info in layers if frozen.alias is None and info.name == frozen.name), None)
    way_on = "Choose the layers to check with layers=[...] (--layers), or freeze again."
    if found is None:
        known = ", ".join(info.short_name for info in bundle.network.feature_map_layers)
        raise ComparisonError(f"{bundle.name} has no layer {frozen.short_name!r}. It has {known}. {way_on}")
    if (found.height, found.width) != (frozen.height, frozen.width):
        raise ComparisonError(
            f"The maps of {found.short_name} are {found.height} x {found.width} in {bundle.name}, and were {frozen.height} x "
            f"{frozen.width}: positions in them cannot be compared. {way_on}"
        )
    return found


def _chosen(frozen: FrozenUnits, layers: Sequence[str] | None) -> list[FrozenLayer]:
    if layers is None:
        return list(frozen.layers)
    found = {name: layer for layer in frozen.layers for name in (layer.info.name, layer.info.alias) if name}
    names = texts(layers, "layers", "the names of one or more frozen layers", ComparisonError)
    unknown = [name for name in names if name not in found]
    if unknown:
        known = ", ".join(layer.info.short_name for layer in frozen.layers)
        raise ComparisonError(f"The file has no layer {unknown[0]!r}. It has {known}.")
    return list({found[name].info.name: found[name] for name in names}.values())
