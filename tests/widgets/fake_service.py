"""A fake service without a model: its images are gratings, and it records its calls."""

from __future__ import annotations

import io
import os
import re
import threading
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deconvwidgets.errors import LayerError, RuleError, ServiceError
from deconvwidgets.instruments.layers.records import (
    EnlargedActivation,
    EnlargeRequest,
    IndexState,
    PlaceGroup,
    PlacePicture,
    PlacePicturesRequest,
    SourceImage,
    TopActivation,
    UnitDetail,
    UnitOnCrop,
    UnitPlace,
    UnitPlaces,
    UnitTable,
)
from deconvwidgets.records.images import EncodedImage, SkippedImage
from deconvwidgets.records.layers import LayerInfo, LayerSummary
from deconvwidgets.records.mosaics import MosaicRequest, TopActivations
from deconvwidgets.records.overview import Overview
from deconvwidgets.records.progress import Progress
from deconvwidgets.records.unit_columns import UnitColumns
from deconvwidgets.records.unit_relations import UnitMap
from deconvwidgets.records.units import UnitFactor
from deconvwidgets.service.events import Events
from deconvwidgets.service.open_widgets import OpenWidgets
from deconvwidgets.service.protocol import ServiceEvent

CATEGORIES = ("ant", "bee", "sunflower", "kite", "sea lion")
GRID, GAP = 3, 2


def encode(pixels: NDArray[np.uint8], form: str = "PNG") -> EncodedImage:
    buffer, image = io.BytesIO(), Image.fromarray(pixels)
    image.save(buffer, form)
    return EncodedImage(buffer.getvalue(), f"image/{form.lower()}", image.width, image.height)


def grating(unit: int, size: int, signed: bool) -> NDArray[np.uint8]:
    """Return a grating whose direction depends on the unit: gray if `signed`, in colour otherwise."""
    y, x = np.mgrid[0:size, 0:size] / 8
    wave = 127.5 + 110 * np.sin(x * np.cos(unit) + y * np.sin(unit))
    tint = np.ones(3) if signed else 0.4 + 0.6 * np.abs(np.sin(unit + np.arange(3)))
    return (wave[..., None] * tint).astype(np.uint8)


class FakeService:
    """Implements `SupportsLayers`. Unit 3 of each layer is dead; `rule="guided"` raises RuleError for conv2."""

    def __init__(self, ready: bool = True) -> None:
        self.ready = ready
        self.version = 1
        self.calls: list[tuple[str, Any]] = []
        self.events = Events()
        self.open_widgets = OpenWidgets()
        self.error: Exception | None = None  # raised by recorded calls
        self.crops: int | None = None  # of the partial index, before it is complete
        self.stored = 20  # strongest activations in the index
        self.cancelled = False  # the index
        self.more: tuple[LayerInfo, ...] = ()  # layers that are not listed
        self.opened: tuple[LayerInfo, ...] = ()
        self.factors: dict[tuple[str, int], float] = {}
        self.background = threading.Event()  # requests for mosaics in the background wait for it
        self.background.set()
        self.infos = (
            LayerInfo("features.0", "conv1", "ReLU", 24, 55, 55, (11, 11), (4, 4), (-2, -2)),
            LayerInfo("features.3", "conv2", "ReLU", 60, 27, 27, (51, 51), (8, 8), (-18, -18)),
            LayerInfo("odd.layer", None, "Conv2d", 5, 13, 13, None, None, None),
        )

    @property
    def layers(self) -> FakeService:
        """The API of the LayerExplorer."""
        return self

    def overview(self) -> Overview:
        return Overview(
            version=self.version,
            model="fakenet",
            weights="random, untrained",
            trained=False,
            classifier=None,
            images="gratings",
            photographs=40,
            crops=120,
            skipped=(SkippedImage("broken.jpg", "it is truncated"),),
            layers=tuple(LayerSummary(info, 1 if self.ready else None) for info in self.infos),
            k=9,
            device="cpu",
            index_ready=self.ready,
            notes=("The weights are random.",),
            opened=tuple(LayerSummary(info, 1 if self.ready else None) for info in self.opened),
            units=tuple(UnitFactor(layer, unit, factor) for (layer, unit), factor in self.factors.items()),
        )

    @property
    def units(self) -> dict[tuple[str, int], float]:
        return dict(self.factors)

    def set_units(self, units: Mapping[tuple[str, int], float] | str | os.PathLike[str] | None) -> None:
        if isinstance(units, str | os.PathLike):
            raise LayerError(f"There is no file of units {units}.")
        self.factors = {}
        self.change_units(units or {})

    def change_units(self, units: Mapping[tuple[str, int], float]) -> None:
        for layer, unit in units:
            if not 0 <= unit < self._info(layer).channels:
                raise LayerError(f"{layer} has no unit {unit}.")
        self.factors = {key: factor for key, factor in {**self.factors, **units}.items() if factor != 1}
        self.version += 1
        self.events.publish(ServiceEvent("changed"))

    def reset_units(self) -> None:
        self.set_units(None)

    def save_units(self, path: str | os.PathLike[str]) -> Path:
        raise LayerError(f"{path} cannot be written.")

    def open(self, layer: str) -> LayerSummary:
        info = self._info(layer)
        self.opened = tuple(dict.fromkeys((*self.opened, *([info] if info in self.more else []))))
        return LayerSummary(info, 1 if self.ready else None)

    def all_layers(self) -> tuple[LayerSummary, ...]:
        return (*self.overview().layers, *(LayerSummary(info, None, (info.name, f"{info.name}.relu#2")) for info in self.more))

    def unit_table(self, layer: str, *, partial: bool = False, refresh: bool = False) -> UnitTable:
        self.open(layer)
        units = self._record("table", layer).channels
        generator = np.random.default_rng(units)
        maximum = generator.permutation(np.linspace(1, 40, units)).astype(np.float32)
        activation_rate = np.full(units, 0.5, np.float32)
        maximum[3], activation_rate[3] = 0, 0
        labels = generator.integers(-1, len(CATEGORIES), (units, 9))
        labels[3] = -1
        std = np.ones(units, np.float32)
        crops, fingerprints = None if self.ready else self.crops, np.full(units, self.version, np.uint32)
        columns = (maximum, maximum / 5, std, activation_rate, maximum - maximum / 5)
        return UnitTable(layer, *columns, labels, CATEGORIES, crops, fingerprints, stored=self.stored)

    def top_activations(self, layer: str, unit: int, rule: str = "deconvnet", contrast: str = "tile", tile: int = 54) -> TopActivations:
        info = self._record("top_activations", layer, unit, rule, contrast, tile)
        if rule == "guided" and info.alias == "conv2":
            raise RuleError(
                "Layer 'conv2' cannot be projected with rule='guided': torch.nn.functional.gelu has no backward rule. "
                "Use rule='gradient', which supports all differentiable operations, or an earlier layer."
            )
        count = 0 if unit == 3 else 9
        side = GRID * tile + (GRID - 1) * GAP
        images = [encode(grating(unit, side, signed)) for signed in (True, False)]
        return TopActivations(layer, unit, rule, count, GRID, tile, GAP, *images)

    def mosaics(self, request: MosaicRequest, background: bool = False) -> list[EncodedImage]:
        if background:
            assert self.background.wait(10)
        unit = (request.layer, request.unit)
        if "projections" not in request.parts:
            self._record("patches", *unit, request.tile)
            return [encode(grating(request.unit, GRID * request.tile + (GRID - 1) * GAP, signed=False))]
        top = self.top_activations(*unit, request.rule, request.contrast, request.tile)
        return [getattr(top, part) for part in request.parts]

    def unit_detail(self, layer: str, unit: int, predictions: bool = True, *, partial: bool = False, refresh: bool = False) -> UnitDetail:
        self._record("unit", layer, unit)
        table = self.unit_table(layer)
        entries = []
        for rank in range(0 if unit == 3 else 9):
            label = int(table.labels[unit, rank])
            names = (f"photograph-{rank}.jpg", CATEGORIES[label] if label >= 0 else None, "bee", 0.25)
            entries.append(TopActivation(rank, *names, float(table.maximum[unit]) - rank, rank, 0, (0, 0, 11, 11)))
        numbers = [float(column[unit]) for column in (table.maximum, table.mean, table.std, table.activation_rate)]
        return UnitDetail(layer, unit, *numbers, float("nan"), (9, 4, 1, 0, 1), (0.0, 1.0, 2.0, 3.0, 4.0, 5.0), tuple(entries))

    def source(self, layer: str, unit: int, rank: int, size: int = 480, *, partial: bool = False) -> SourceImage:
        self._record("source", layer, unit, rank)
        pixels = grating(rank, size, signed=False)[: size * 3 // 4]
        return SourceImage(encode(pixels, "JPEG"), (0.2, -0.1, 0.5, 0.3), (0.1, 0.0, 0.9, 1.0), f"#{rank + 1} · photograph-{rank}.jpg")

    def enlarged(self, request: EnlargeRequest) -> EnlargedActivation:
        """Return gratings, and a map whose maximum is 20 minus the rank, at row 1 and the column of the rank."""
        info = self._record("enlarged", request.layer, request.unit, request.rank, request.rule, request.contrast, request.size)
        values = np.linspace(0, 1, 13 * 11, dtype=np.float32).reshape(13, 11)
        values[1, request.rank] = 20 - request.rank
        refused = request.rule == "guided" and info.alias == "conv2"
        projection, patch = (encode(grating(request.rank + 1, request.size, signed)) for signed in (True, False))
        reason = "gelu has no backward rule." if refused else ""
        shown = None if refused else projection
        return EnlargedActivation(shown, reason, patch, values, (0.0, 0.0, 1.0, 1.0), float(values.max()), 1, request.rank)

    def on_crop(self, layer: str, unit: int, crop: int, size: int = 480) -> UnitOnCrop:
        """Return a map whose maximum is the unit plus a tenth of the crop, at row 1 and column 2."""
        self._record("on_crop", layer, unit, crop)
        values = np.zeros((6, 8), np.float32)
        values[1, 2] = unit + crop / 10
        image = encode(grating(crop, size, signed=False)[: size * 3 // 4], "JPEG")
        source = SourceImage(image, (0.2, -0.1, 0.5, 0.3), (0.1, 0.0, 0.9, 1.0), f"photograph-{crop}.jpg")
        return UnitOnCrop(source, values, (0.0, 0.0, 1.0, 1.0), float(values.max()), 1, 2)

    def figure(self, kind: str, state: Mapping[str, Any]) -> bytes:
        self.calls.append(("figure", (kind, dict(state))))
        if self.error:
            raise self.error
        return encode(grating(1, 16, signed=True)).data if kind.endswith(".png") else b"<figure>" + kind.encode()

    def unit_columns(self, layer: str) -> UnitColumns:
        """Units 1 and 2 are near-copies, and unit 2 has two peaks."""
        units = self._record("unit_columns", layer).channels
        nearest, correlation = np.full(units, -1), np.full(units, np.nan)
        nearest[[1, 2]], correlation[[1, 2]] = [2, 1], 0.98
        peaks = np.ones(units, np.int64)
        peaks[2] = 2
        purity = np.linspace(0, 1, units)
        columns = {"selectivity": self.unit_table(layer).selectivity, "class_purity": purity, "peaks": peaks}
        neighbours = {"nearest_unit": nearest, "nearest_correlation": correlation}
        return UnitColumns(layer, layer, {**columns, **neighbours}, 120)

    def matching_units(self, layer: str, where: str) -> tuple[int, ...]:
        """Only "unit < N" is a condition."""
        units = self._record("matching_units", layer).channels
        match = re.fullmatch(r"unit < (\d+)", where)
        if match is None:
            raise ServiceError(f"The condition {where!r} cannot be read: there is no such column. The columns are unit, selectivity.")
        return tuple(range(min(units, int(match[1]))))

    def places(self, layer: str, unit: int, tab: str, *, partial: bool = False) -> UnitPlaces:
        """Return the strongest; three groups of two for the range, of which the last is inactive; five negative ones."""
        self._record("places", layer, unit)

        def place(number: int, value: float) -> UnitPlace:
            return UnitPlace(number, f"photograph-{number}.jpg", "bee", value, 0, number, (0, 0, 11, 11), value != 0)

        if tab == "range":
            values = [(9.0, 8.0), (4.0, 3.0), (0.0, 0.0)]
            groups = [
                PlaceGroup(pair[1], pair[0], 1 / 3, tuple(place(2 * number + offset, value) for offset, value in enumerate(pair)))
                for number, pair in enumerate(values)
            ]
            return UnitPlaces(layer, unit, "range", tuple(groups), 120, "Images drawn at random.")
        if tab == "negative":
            group = PlaceGroup(-5.0, -1.0, None, tuple(place(number, number - 5.0) for number in range(5)))
            return UnitPlaces(layer, unit, "negative", (group,), 120, "Most negative before the rectifier.")
        strongest = tuple(place(number, float(self.stored - number)) for number in range(0 if unit == 3 else self.stored))
        return UnitPlaces(layer, unit, "strongest", (PlaceGroup(1.0, float(self.stored), None, strongest),), 120)

    def place_pictures(self, request: PlacePicturesRequest) -> list[PlacePicture]:
        self._record("place_pictures", request.layer, request.unit, request.tab, request.numbers)
        places = self.places(request.layer, request.unit, request.tab).places
        patch, projection = (encode(grating(request.unit, request.tile, signed)) for signed in (False, True))
        return [
            PlacePicture(patch, projection) if places[number].projected else PlacePicture(patch, None, "The unit is not active here.")
            for number in request.numbers
        ]

    def place_source(self, layer: str, unit: int, tab: str, number: int, size: int = 480, *, partial: bool = False) -> SourceImage:
        self._record("place_source", layer, unit, tab, number)
        pixels = grating(number, size, signed=False)[: size * 3 // 4]
        return SourceImage(encode(pixels, "JPEG"), (0.2, -0.1, 0.5, 0.3), None, f"{tab} {number} · photograph-{number}.jpg")

    def unit_map(self, layer: str, method: str = "auto") -> UnitMap:
        """The units are on a line from the left to the right; unit 3 is left out."""
        channels = self._record("unit_map", layer).channels
        units = np.array([unit for unit in range(channels) if unit != 3])
        coordinates = np.stack([np.linspace(-1, 1, len(units)), np.zeros(len(units))], axis=1).astype(np.float32)
        return UnitMap(layer, "pca" if method == "auto" else method, units, coordinates, np.array([3]), 120, 0)

    def index_state(self) -> IndexState:
        names = tuple(info.alias or info.name for info in self.infos)
        building = () if self.ready or self.cancelled else names
        return IndexState(building, names if self.cancelled else (), Progress("index", 30, 120, 15.0) if not self.ready else None)

    def cancel_index(self) -> None:
        self.cancelled = True
        self.publish("changed")

    def resume_index(self) -> None:
        self.cancelled = False
        self.publish("changed")

    def wait(self, timeout: float | None = None) -> FakeService:
        if not self.ready:
            raise ServiceError("The index could not be built: the disk is full.")
        return self

    def subscribe(self, listener: Callable[[ServiceEvent], None], kinds: Collection[str] | None = None) -> Callable[[], None]:
        return self.events.subscribe(listener, kinds)

    def publish(self, kind: Any, progress: Progress | None = None, message: str = "") -> None:
        self.events.publish(ServiceEvent(kind, progress, message))

    def finish(self) -> None:
        """Complete the index."""
        self.ready, self.version = True, self.version + 1
        self.publish("changed")

    def _record(self, kind: str, layer: str, *rest: Any) -> LayerInfo:
        self.calls.append((kind, (layer, *rest)))
        if self.error:
            raise self.error
        if not self.ready and self.crops is None:
            raise ServiceError("The index of strongest activations is being built: 30 of 120 crops (25%). Try again when it is complete")
        info = self._info(layer)
        if rest and not 0 <= rest[0] < info.channels:
            raise LayerError(f"{layer} has {info.channels} units, 0 to {info.channels - 1}: there is no unit {rest[0]}.")
        return info

    def _info(self, layer: str) -> LayerInfo:
        for info in (*self.infos, *self.more):
            if layer in (info.alias, info.name):
                return info
        raise LayerError(f"The model has no layer {layer!r}. Its layers are conv1, conv2, odd.layer.")
