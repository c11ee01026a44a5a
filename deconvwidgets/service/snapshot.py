"""The state of a model service: one immutable value that is replaced as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field

from deconvwidgets.engine import Network
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.images import SkippedImage
from deconvwidgets.records.layers import LayerInfo, LayerSummary
from deconvwidgets.records.units import UnitFactor
from deconvwidgets.service.layer_catalog import LayerCatalog
from deconvwidgets.service.networks_below import NetworksBelow


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one request reads, from its beginning to its end.

    Parameters
    ----------
    version : int
        Increases with every replacement.
    bundle_version : int
        The version in which the bundle last changed. What follows from the bundle and the images alone, and not from the index, is cached
        by it.
    layers_version : int
        The version in which the layers last changed. Whatever is computed from them alone, and not from the classifier, is cached by it,
        by the activations if it depends on the index, and by `below.factors(layer)` if it depends on units that are switched off.
    catalog : LayerCatalog
        The layers that can be opened.
    notes : tuple of str
        Sentences to show beside those of the bundle.
    listed : tuple of LayerInfo
        The layers that the explorers list. The index has them as soon as it is complete.
    opened : tuple of LayerInfo
        Other layers that were opened.
    below : NetworksBelow
        The networks for the pictures of each layer, made from the bundle.
    """

    version: int
    bundle: ModelBundle
    images: ImageSet
    catalog: LayerCatalog
    index: ActivationIndex | None = None
    notes: tuple[str, ...] = ()
    bundle_version: int = 1
    layers_version: int = 1
    listed: tuple[LayerInfo, ...] = ()
    opened: tuple[LayerInfo, ...] = ()
    below: NetworksBelow = field(default=None, repr=False)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.below is None or self.below.bundle is not self.bundle:
            object.__setattr__(self, "below", NetworksBelow(self.bundle))

    @property
    def unchanged(self) -> ModelBundle:
        """The bundle with every unit on, of which the index is built."""
        return self.bundle.unchanged or self.bundle

    @property
    def units(self) -> tuple[UnitFactor, ...]:
        """The units whose maps are multiplied, in the order of the layers."""
        network = self.bundle.network
        names = {name: self.name_of(network.layer(name)) for name, _ in self.bundle.units}
        return tuple(UnitFactor(names[name], unit, factor) for (name, unit), factor in self.bundle.units.items())

    @property
    def network(self) -> Network:
        """The bundle's traced network."""
        return self.bundle.network

    def layer(self, name: object) -> LayerInfo:
        """Return a layer with feature maps, by a dotted name or alias. Raises LayerError if there is none."""
        return self.catalog.find(name, self.bundle)

    @property
    def complete(self) -> bool:
        """Whether the index has all listed layers."""
        return all(self.has(info.name) for info in self.listed)

    def has(self, layer: str) -> bool:
        """Return whether the index has the layer of a dotted name."""
        return self.index is not None and layer in self.index.tallies

    def name_of(self, info: LayerInfo) -> str:
        """Return the name by which an overview lists a layer."""
        return self.catalog.short_name(info)

    def summary(self, info: LayerInfo) -> LayerSummary:
        """Return a layer as an overview lists it."""
        dead = int(self.index.stats(info.name).dead.sum()) if self.index is not None and self.has(info.name) else None
        catalog = self.catalog
        changed = bool(self.below.factors(info.name)) or any(name == info.name for name, _ in self.bundle.units)
        return LayerSummary(info, dead, catalog.names.get(info.name, ()), catalog.convolutions.get(info.alias or ""), changed)

    def skipped(self) -> tuple[SkippedImage, ...]:
        """Return the images that could not be read."""
        return self.index.skipped if self.index is not None else self.images.skipped
