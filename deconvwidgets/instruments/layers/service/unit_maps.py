"""Maps of units that were computed: t-SNE takes seconds."""

from __future__ import annotations

from threading import Lock

from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.instruments.layers.records import MapMethod
from deconvwidgets.records.unit_relations import UnitMap

_KEPT = 32


class UnitMaps:
    """Computes and keeps maps. Thread-safe: requests for the same map wait for each other."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._maps: dict[tuple[str, str], tuple[object, UnitMap]] = {}

    def get(self, index: ActivationIndex, layer: str, method: MapMethod) -> UnitMap:
        """Return the map of a layer of a dotted name. It is computed again if the index of the layer is another one."""
        with self._lock:
            tally, key = index.tallies[layer], (layer, method)
            known = self._maps.get(key)
            if known is None or known[0] is not tally:
                self._maps[key] = known = (tally, index.unit_map(layer, method))
                for oldest in list(self._maps)[:-_KEPT]:
                    del self._maps[oldest]
            return known[1]
