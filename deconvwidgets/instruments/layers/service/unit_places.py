"""The activations of a unit that the tabs of the explorer show: the strongest, a sample of the whole range, and the most negative."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from deconvwidgets import display
from deconvwidgets.arguments import describe, instance, integer, one_of
from deconvwidgets.engine.forward_pass import rectifier_input
from deconvwidgets.errors import ActivationIndexError, LayerError, PictureError, RuleError, ServiceError
from deconvwidgets.images.image_set import label_name
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.instruments.layers.records import (
    PlaceGroup,
    PlacePicture,
    PlacePicturesRequest,
    SourceImage,
    Tab,
    UnitPlace,
    UnitPlaces,
)
from deconvwidgets.instruments.layers.service.sources import source_image
from deconvwidgets.records.activations import Activation
from deconvwidgets.records.images import EncodedImage
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.records.mosaics import Rule
from deconvwidgets.service.encoding import encode_image
from deconvwidgets.service.prepared_images import PreparedImageCache
from deconvwidgets.service.snapshot import Snapshot
from deconvwidgets.service.unit_projections import UnitProjections
from deconvwidgets.service.unreadable import unreadable_tile

_TILES = range(16, 513)
_MAX_NUMBERS = 64
_NOT_PROJECTED = "The unit is not active here: the backward pass begins with its activation, which is not above zero."
_NEGATIVE = "Lowest values before the rectifier. Projections: what lowers the unit."
_ONLY_PATCHES = "Lowest values before the rectifier. Patches only: what the rectifier reads cannot be projected by itself."


@dataclass(frozen=True, slots=True)
class _Group:
    low: float
    high: float
    share: float | None
    activations: tuple[Activation, ...]


@dataclass(frozen=True, slots=True)
class _Listed:
    """The activations of a tab, and the dotted name of the layer that they are projected from; None if they cannot be."""

    groups: tuple[_Group, ...]
    note: str
    projected_from: str | None

    @property
    def activations(self) -> list[Activation]:
        return [activation for group in self.groups for activation in group.activations]


class PlacesReader:
    """Lists the activations of a tab, and makes their pictures. Thread-safe. The projections are shared with the mosaics."""

    def __init__(self, images: PreparedImageCache, projections: UnitProjections) -> None:
        self._images = images
        self._projections = projections

    def places(self, snapshot: Snapshot, index: ActivationIndex, info: LayerInfo, layer: str, unit: int, tab: Tab) -> UnitPlaces:
        """Return the activations of a unit that a tab shows.

        Raises
        ------
        LayerError
            For an unknown unit.
        ServiceError
            For an unknown tab.
        """
        listed = _listed(snapshot, index, info, unit, tab)

        def place(activation: Activation) -> UnitPlace:
            source = snapshot.images.crop(activation.image).source
            return UnitPlace(
                image=activation.image,
                source=snapshot.images.source_name(source),
                label=label_name(snapshot.images, source),
                value=activation.value,
                row=activation.row,
                column=activation.column,
                box=activation.box,
                projected=listed.projected_from is not None and _has_projection(activation, tab),
            )

        groups = tuple(PlaceGroup(group.low, group.high, group.share, tuple(map(place, group.activations))) for group in listed.groups)
        return UnitPlaces(layer, unit, tab, groups, index.crops, listed.note)

    def pictures(self, snapshot: Snapshot, index: ActivationIndex, info: LayerInfo, request: PlacePicturesRequest) -> list[PlacePicture]:
        """Return the pictures of some activations. Where the rule cannot be applied, the record has the reason instead of a projection."""
        request = _checked(request)
        listed = _listed(snapshot, index, info, request.unit, request.tab)
        chosen = [_chosen(listed, number, request.layer, request.unit) for number in request.numbers]
        inputs = self._images.each(snapshot, [activation.image for activation in chosen])
        projections, reason = self._project(snapshot, listed, chosen, request)
        pictures = []
        for number, (activation, entry) in enumerate(zip(chosen, inputs, strict=True)):
            if isinstance(entry, PictureError):
                pictures.append(PlacePicture(encode_image(unreadable_tile(request.tile)), None, str(entry)))
                continue
            patch = entry[1] if activation.box is None else display.crop_patch(entry[1], activation.box)
            why = "" if number in projections else reason or _NOT_PROJECTED
            pictures.append(PlacePicture(encode_image(display.resize_image(patch, request.tile)), projections.get(number), why))
        return pictures

    def source(
        self, snapshot: Snapshot, index: ActivationIndex, info: LayerInfo, layer: str, unit: int, tab: Tab, number: int, size: int
    ) -> SourceImage:
        """Return the whole photograph of an activation, `size` pixels on the longer side."""
        size = integer(size, "size, the pixels of a source image,", 16, 4096)
        activation = _chosen(_listed(snapshot, index, info, unit, tab), number, layer, unit)
        images, source = snapshot.images, snapshot.images.crop(activation.image).source
        label = label_name(images, source)
        parts = [*([label] if label else []), f"{activation.value:.1f}", images.source_name(source)]
        return source_image(snapshot, self._images, activation, " · ".join(parts), size)

    def _project(
        self, snapshot: Snapshot, listed: _Listed, chosen: Sequence[Activation], request: PlacePicturesRequest
    ) -> tuple[dict[int, EncodedImage], str]:
        """Return the projections by their places in `chosen`, and the reason why there are none."""
        numbers = [number for number, activation in enumerate(chosen) if _has_projection(activation, request.tab)]
        if listed.projected_from is None or not numbers:
            return {}, "" if listed.projected_from else listed.note
        requested = [chosen[number] for number in numbers]
        try:
            pairs = [(request.unit, one) for one in requested]
            signed = self._projections.each(snapshot, listed.projected_from, pairs, request.rule, background=True)
        except RuleError as error:
            return {}, str(error)
        channels = snapshot.bundle.channels_to_display
        return {
            number: encode_image(display.projection_to_rgb(projection[channels], request.tile))
            for number, projection in zip(numbers, signed, strict=True)
            if not isinstance(projection, PictureError)
        }, ""


def _listed(snapshot: Snapshot, index: ActivationIndex, info: LayerInfo, unit: int, tab: Tab) -> _Listed:
    one_of(tab, "tab", get_args(Tab))
    unit = integer(unit, "unit", error=LayerError)
    if tab == "strongest":
        top = index.top(info.name, unit)
        return _Listed((_whole(top),), "", info.name)
    try:
        if tab == "range":
            found = index.whole_range(info.name, unit)
            groups = tuple(_Group(one.low, one.high, one.share, one.examples) for one in found.bins)
            note = f"Random images from each part of the range, from a sample of {found.samples:,}."
            return _Listed(groups, note, info.name)
        lowest = index.most_negative(info.name, unit)
    except ActivationIndexError as error:
        return _Listed((), str(error), None)
    if not lowest:
        return _Listed((), "The unit is negative in no image.", None)
    name = layer_before_rectifier(snapshot, info)
    return _Listed((_whole(lowest),), _ONLY_PATCHES if name is None else _NEGATIVE, name)


def _whole(activations: Sequence[Activation]) -> _Group:
    values = [activation.value for activation in activations] or [0.0]
    return _Group(min(values), max(values), None, tuple(activations))


def layer_before_rectifier(snapshot: Snapshot, info: LayerInfo) -> str | None:
    """Return the dotted name of the layer that a layer's rectifier reads, None if it is no layer.

    A layer that is no rectifier's output is returned itself.
    """
    network = snapshot.network
    graph, node = network.graph, network.node(info.name)
    if graph is None or node is None:
        return None
    read = rectifier_input(graph, node)
    if read is None:
        return info.name
    return next((other.name for other in network.layers if network.node(other.name) is read), None)


def _has_projection(activation: Activation, tab: Tab) -> bool:
    """Return whether there is something to project: the backward pass begins with the activation, whose sign tells what it shows."""
    return activation.value < 0 if tab == "negative" else activation.value > 0


def _chosen(listed: _Listed, number: object, layer: str, unit: int) -> Activation:
    number, activations = integer(number, "number", error=LayerError), listed.activations
    if not 0 <= number < len(activations):
        raise LayerError(
            f"{len(activations)} activations of unit {unit} of {layer} are listed, counted from 0: there is no number {number}."
        )
    return activations[number]


def _checked(request: PlacePicturesRequest) -> PlacePicturesRequest:
    """Return the request with Python integers. Raises ServiceError for an invalid one."""
    one_of(instance(request, PlacePicturesRequest, "request").rule, "rule", get_args(Rule))
    if not isinstance(request.numbers, tuple | list) or not 0 < len(request.numbers) <= _MAX_NUMBERS:
        raise ServiceError(f"The numbers are a list of 1 to {_MAX_NUMBERS} activations, not {describe(request.numbers)}.")
    tile = integer(request.tile, "tile, the pixels of a tile,", _TILES.start, _TILES.stop - 1)
    unit = integer(request.unit, "unit", error=LayerError)
    return PlacePicturesRequest(request.layer, unit, request.tab, tuple(request.numbers), request.rule, tile, request.partial)
