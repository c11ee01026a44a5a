"""The layers that an explorer can open: every layer with feature maps, by each of its names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deconvwidgets.arguments import text
from deconvwidgets.errors import LayerError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.layers import LayerInfo

_NAMED = 8  # layers in an error message


@dataclass(frozen=True, slots=True)
class LayerCatalog:
    """The layers with feature maps of a model. It is made once: tracing a model again to look up a name takes too long for a request.

    Parameters
    ----------
    layers : mapping of str to LayerInfo
        By dotted name, in order of execution.
    names : mapping of str to tuple of str
        All dotted names of each layer. The first one names the layer if it has no alias: that of the outermost module, so that a stage is
        called "layer4" and not "layer4.1.relu#2". The feature maps that are listed by default keep their own.
    """

    layers: Mapping[str, LayerInfo]
    names: Mapping[str, tuple[str, ...]]
    found: Mapping[str, str]  # every name and alias -> dotted name
    convolutions: Mapping[str, str]  # alias of a feature map -> name of its convolution

    @classmethod
    def of(cls, bundle: ModelBundle) -> LayerCatalog:
        """Return the layers of a bundle."""
        network = bundle.network
        layers = {info.name: info for info in network.map_layers()}
        default, others = {info.name for info in network.feature_map_layers}, network.other_names()
        names = {}
        for name in layers:
            outer = sorted([name, *others.get(name, ())], key=lambda one: one.count("."))
            names[name] = (name, *(one for one in outer if one != name)) if name in default else tuple(outer)
        found = {other: name for name, all_names in names.items() for other in all_names}
        found.update({info.alias: name for name, info in layers.items() if info.alias})
        return cls(layers, names, found, network.convolution_names())

    def find(self, name: object, bundle: ModelBundle) -> LayerInfo:
        """Return the layer of a dotted name or alias.

        Raises
        ------
        LayerError
            If `bundle` has no such layer, or if its output is no feature map.
        """
        name = text(name, "layer", "the name of a layer", LayerError)
        if name in self.found:
            return self.layers[self.found[name]]
        network = bundle.network
        if name not in dict(bundle.model.named_modules()):
            network.layer(name)  # raises LayerError, with the closest names, unless it is a layer without maps
        shown = [one.short_name for one in network.feature_map_layers]
        listed = ", ".join(shown if len(shown) <= _NAMED else [*shown[: _NAMED - 2], "...", shown[-1]])
        raise LayerError(
            f"{name!r} of {bundle.name} is no feature map: it does not return (N, channels, height, width). "
            f"Layers with feature maps are {listed}, and every module that returns maps; service.layers.all_layers() lists them."
        )

    def short_name(self, info: LayerInfo) -> str:
        """Return the alias of a layer, or the first of its names."""
        return info.alias or self.names.get(info.name, (info.name,))[0]
