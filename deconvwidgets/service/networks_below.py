"""The networks that a layer's pictures are computed with while units are switched off."""

from __future__ import annotations

from deconvwidgets.engine import Network
from deconvwidgets.models.bundle import ModelBundle

Factors = tuple[tuple[tuple[str, int], float], ...]  # by (dotted name of the layer, unit)


class NetworksBelow:
    """Networks in which the units below a layer are changed, and those of the layer itself are not. Thread-safe.

    A unit that is switched off keeps its pictures: its own factor would make its projections and its feature map zero.
    """

    def __init__(self, bundle: ModelBundle) -> None:
        self.bundle = bundle
        self._bundles: dict[Factors, ModelBundle] = {}
        self._factors: dict[str, Factors] = {}

    def factors(self, layer: str) -> Factors:
        """Return the factors of all units below a layer of a dotted name, in order. They decide what is computed for it."""
        if not self.bundle.units:
            return ()
        if layer not in self._factors:
            order = {info.name: number for number, info in enumerate(self.bundle.network.layers)}
            self._factors[layer] = tuple(item for item in self.bundle.units.items() if order[item[0][0]] < order[layer])
        return self._factors[layer]

    def network(self, layer: str) -> Network:
        """Return the network for a layer of a dotted name. The first request traces it: hold the device lock."""
        return self.of(layer).network

    def of(self, layer: str) -> ModelBundle:
        """Return the bundle for a layer of a dotted name. While none below is changed, it is the same one."""
        factors = self.factors(layer)
        if not factors:
            return self.bundle.unchanged or self.bundle
        if len(factors) == len(self.bundle.units):
            return self.bundle
        found = self._bundles.get(factors)
        if found is None:
            self._bundles[factors] = found = self.bundle.with_units(dict(factors))
        return found
