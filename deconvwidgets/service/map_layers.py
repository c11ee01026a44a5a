"""The layers that an explorer can open: every layer with feature maps, by each of its names."""

from __future__ import annotations

from deconvwidgets.arguments import text
from deconvwidgets.errors import LayerError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.layers import LayerInfo

_NAMED = 8  # layers in an error message


def map_layer(bundle: ModelBundle, name: object) -> LayerInfo:
    """Return the layer of a dotted name or alias.

    Raises
    ------
    LayerError
        If there is no such layer, or if its output is no feature map.
    """
    network, name = bundle.network, text(name, "layer", "the name of a layer", LayerError)
    maps = network.map_layers()
    try:
        info = network.layer(name)
    except LayerError:
        if name not in dict(bundle.model.named_modules()):
            raise
    else:
        if any(info.name == other.name for other in maps):
            return info
    shown = [one.short_name for one in network.feature_map_layers]
    listed = ", ".join(shown if len(shown) <= _NAMED else [*shown[: _NAMED - 2], "...", shown[-1]])
    raise LayerError(
        f"{name!r} of {bundle.name} is no feature map: it does not return (N, channels, height, width). "
        f"Layers with feature maps are {listed}, and every module that returns maps; service.layers.all_layers() lists them."
    )


def module_names(bundle: ModelBundle, info: LayerInfo) -> tuple[str, ...]:
    """Return the dotted names of a layer, the first of which names it if it has no alias.

    It is that of the outermost module, so that a stage is called "layer4" and not "layer4.1.relu#2". The explorers' layers keep theirs.
    """
    network = bundle.network
    names = network.names(info.name)
    if any(info.name == shown.name for shown in network.feature_map_layers):
        return (info.name, *(name for name in names if name != info.name))
    return names
