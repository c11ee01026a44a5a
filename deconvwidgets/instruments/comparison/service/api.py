"""Two model services side by side, in this process."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from inspect import ismethod
from threading import RLock
from typing import Any, Self
from weakref import WeakMethod

from deconvwidgets.arguments import one_of, seconds
from deconvwidgets.errors import ServiceError
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.instruments.comparison.pair_records import SIDES, LayerPairs, LayerSimilarity, PairedBy, Side
from deconvwidgets.instruments.comparison.service.figures import make_figure
from deconvwidgets.instruments.comparison.service.occlusion import make_occlusion_figure, occlusion_summary
from deconvwidgets.instruments.comparison.service.pairs import layer_similarity, paired_units
from deconvwidgets.instruments.comparison.service.protocol import SupportsBoth
from deconvwidgets.records.find_layer import known_layer
from deconvwidgets.records.layers import LayerSummary
from deconvwidgets.records.overview import Overview
from deconvwidgets.service.open_widgets import OpenWidgets
from deconvwidgets.service.protocol import ServiceEvent

Listener = Callable[[ServiceEvent], None]
_KEPT = 64  # pairs of layers whose units stay matched


class LocalSideBySide:
    """Two model services on the same image set, compared unit by unit. Each keeps its own classifier and units. Thread-safe.

    The units are matched by their activations in the crops that both activation indexes sampled. As those indexes, the comparison is of
    the networks with all units on.

    Parameters
    ----------
    service_a, service_b : LocalModelService or ConnectedService
        They may be the same one. Closing them is up to the caller.

    Raises
    ------
    ServiceError
        If one of them is no model service, or if their image sets differ (by digest).
    """

    def __init__(self, service_a: SupportsBoth, service_b: SupportsBoth) -> None:
        self._services: dict[Side, SupportsBoth] = {"a": service_a, "b": service_b}
        for side, service in self._services.items():
            if not isinstance(service, SupportsBoth):
                raise ServiceError(
                    f"service_{side} must be a model service, such as dw.LocalModelService(bundle, images), not a {type(service).__name__}."
                )
        _require_same_images(service_a.overview(), service_b.overview())
        self._open_widgets = OpenWidgets()
        self._lock = RLock()
        self._indexes: dict[Side, tuple[int, ActivationIndex | None]] = {}  # by side: the version of the service, and its index
        self._pairs: dict[tuple[Any, ...], LayerPairs] = {}
        self._similarity: tuple[tuple[Any, ...], LayerSimilarity] | None = None

    @property
    def open_widgets(self) -> OpenWidgets:
        """The widgets of this comparison that pages show."""
        return self._open_widgets

    def side(self, side: Side) -> SupportsBoth:
        """Return one of the two services. Raises ServiceError for anything but "a" and "b"."""
        one_of(side, "side", SIDES)
        return self._services[side]

    def names(self) -> tuple[str, str]:
        """Return the names of the two models; if they are equal, with A and B."""
        first, second = (service.overview().model for service in self._services.values())
        return (first, second) if first != second else (f"{first} (A)", f"{second} (B)")

    def subscribe(self, listener: Listener, kinds: Collection[str] | None = None) -> Callable[[], None]:
        """Call `listener` with the events of both services, which have their `side`. Return the function that ends the subscription.

        A bound method is held weakly.
        """
        held: Callable[[], Listener | None] = WeakMethod(listener) if ismethod(listener) else lambda: listener

        def relay(side: Side) -> Listener:
            def publish(event: ServiceEvent) -> None:
                target = held()
                if target is not None:
                    target(replace(event, side=side))

            return publish

        ends = [service.subscribe(relay(side), kinds) for side, service in self._services.items()]

        def end_all() -> None:
            for end in ends:
                end()

        return end_all

    def wait(self, timeout: float | None = None) -> Self:
        """Wait for the activation indexes of both, `timeout` seconds for each, and return the comparison."""
        for service in self._services.values():
            service.wait(seconds(timeout))
        return self

    def pairs(self, layer_a: str, layer_b: str, paired_by: PairedBy = "match") -> LayerPairs:
        """Return the units of a layer of A beside those of a layer of B.

        Raises
        ------
        LayerError
            For an unknown layer.
        ServiceError
            While an index of one of the two layers is built.
        """
        one_of(paired_by, "paired_by", ("match", "number"))
        with self._lock:
            (index_a, first), (index_b, second) = self._layer("a", layer_a), self._layer("b", layer_b)
            names = (first.info.name, second.info.name)
            key = (*names, paired_by, id(index_a.tallies[names[0]]), id(index_b.tallies[names[1]]))
            if key not in self._pairs:
                shown = (first.short_name, second.short_name)
                self._pairs[key] = paired_units(index_a, index_b, names, shown, paired_by)
                for oldest in list(self._pairs)[:-_KEPT]:
                    del self._pairs[oldest]
            return self._pairs[key]

    def similarity(self) -> LayerSimilarity:
        """Return how similar the layers of both models are, of those that have an index. Raises ServiceError while there is no index."""
        with self._lock:
            index_a, index_b = self._required("a"), self._required("b")
            key = (id(index_a), id(index_b))
            if self._similarity is None or self._similarity[0] != key:
                self._similarity = (key, layer_similarity(index_a, index_b, (self._shown("a", index_a), self._shown("b", index_b))))
            return self._similarity[1]

    def figure(self, kind: str, state: Mapping[str, Any]) -> bytes:
        """Return "pairs.png" or "pairs.csv" of what a widget in `state` shows, as the bytes of a file."""
        return make_figure(self, kind, state)

    def occlusion_figure(self, kind: str, state: Mapping[str, Any]) -> bytes:
        """Return "predictions.png", "maps.png" or "maps.csv" of what a widget in `state` shows, as the bytes of a file."""
        return make_occlusion_figure(self, kind, state)

    def occlusion_summary(self, state: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what both models return for the photograph of a widget's state, with its patches and without, as plain values."""
        return occlusion_summary(self, state)

    def _index(self, side: Side) -> ActivationIndex | None:
        """Return the index of a service. That of a connected service is fetched once for each of its versions."""
        service = self._services[side]
        version = service.overview().version
        if side not in self._indexes or self._indexes[side][0] != version:
            index = service.index
            known = self._indexes.get(side)
            self._indexes[side] = (version, index)
            if known is not None and index is not known[1]:
                self._pairs.clear()  # the keys are ids, which may be used again
                self._similarity = None
        return self._indexes[side][1]

    def _required(self, side: Side) -> ActivationIndex:
        index = self._index(side)
        if index is None:
            raise self._not_ready(side, "")
        return index

    def _shown(self, side: Side, index: ActivationIndex) -> dict[str, str]:
        """Return the names by which a service lists the layers of its index, by dotted names."""
        overview = self._services[side].overview()
        listed = {one.info.name: one.short_name for one in (*overview.layers, *overview.opened)}
        return {info.name: listed.get(info.name, info.short_name) for info in index.layers}

    def _layer(self, side: Side, layer: str) -> tuple[ActivationIndex, LayerSummary]:
        """Return the index of a service, and one of its layers. Raises LayerError or ServiceError."""
        service = self._services[side]
        summary = known_layer(service.overview(), layer) or service.layers.open(layer)
        index = self._index(side)
        if index is None or summary.info.name not in index.tallies:
            raise self._not_ready(side, f" of {summary.short_name}")
        return index, summary

    def _not_ready(self, side: Side, layer: str) -> ServiceError:
        model = self.names()[SIDES.index(side)]
        return ServiceError(f"The index{layer} of {model} is being built: its units are compared when it is complete.")


def _require_same_images(first: Overview, second: Overview) -> None:
    if first.images_digest != second.images_digest:
        raise ServiceError(
            f"The two services have different image sets: {first.images!r} (digest {first.images_digest[:12]}) and {second.images!r} "
            f"(digest {second.images_digest[:12]}). Units are compared by what they do on the same images: make both services with one "
            "image set, images = dw.open_images(...)."
        )
