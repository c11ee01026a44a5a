"""A fake OcclusionApi with a toy network. Tests compute the maps step by step, and read the recorded calls."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from deconvwidgets.errors import LayerError, PictureError, RuleError
from deconvwidgets.instruments.occlusion.records import (
    ClassShare,
    ImagePage,
    ImageTile,
    MapsSettings,
    OcclusionChoices,
    OcclusionFile,
    OcclusionMaps,
    OcclusionProjection,
    OcclusionRequest,
    OcclusionScene,
    PatchAnswer,
    UnitMaps,
    Unoccluded,
)
from deconvwidgets.instruments.occlusion.service.class_colours import ClassColours
from deconvwidgets.records.geometry import Box
from deconvwidgets.records.overview import Overview
from deconvwidgets.records.quantity import SOFTMAX
from tests.instruments.contributions.widget.fake_api import FakeContributionsApi
from tests.instruments.occlusion.widget.toy_network import (
    KINDS,
    LAYERS,
    Pixels,
    drawing,
    feature_map,
    fill_of,
    layer_named,
    probabilities,
    strongest_units,
)
from tests.widgets.fake_service import FakeService, encode, grating

__all__ = ["KINDS", "FakeOcclusionApi", "FakeOcclusionService"]

IMAGES = 60
MAX_BYTES = 8_000_000  # of an upload


@dataclass
class FakeRun:
    """Maps that are being computed. `order` has the remaining cells, coarse to fine."""

    request: OcclusionRequest
    settings: MapsSettings
    maps: OcclusionMaps
    order: list[int]
    stopped: bool = False


class FakeOcclusionApi:
    """Implements service.protocol.OcclusionService."""

    def __init__(self, service: FakeOcclusionService, side: int = 64) -> None:
        self.service = service
        self.side = side
        self.calls: list[tuple[str, Any]] = []
        self.error: Exception | None = None  # raised by recorded calls
        self.complete_at_once = True  # start_maps computes all positions
        self.runs: dict[int, FakeRun] = {}
        self._colours = ClassColours()
        self.pixels: dict[str, Pixels] = {}
        self.uploads: dict[str, tuple[str, bytearray]] = {}
        self.colours_known = True

    # The toy network

    def _pixels(self, image: str) -> Pixels:
        if image not in self.pixels:
            kind, _, number = image.partition(":")
            if kind != "crop" or not number.isdigit() or int(number) >= IMAGES:
                raise PictureError(f"gratings has the crops 0 to {IMAGES - 1}: there is no {image!r}. Choose one of them.")
            self.pixels[image] = drawing(int(number), self.side)
        return self.pixels[image]

    def _resolve(self, request: OcclusionRequest) -> OcclusionRequest:
        info = layer_named(request.layer)
        if info is None:
            raise LayerError(f"The model has no layer {request.layer!r}. Its layers are conv1, conv5.")
        pixels = self._pixels(request.image)
        unit = strongest_units(pixels, info)[0] if request.unit is None else request.unit
        target = request.target
        if self.service.classifier is None:
            target = None
        elif target is None:
            target = int(probabilities(pixels).argmax())
        against = request.against
        if against == "auto":
            label = None if request.image.startswith("upload") else int(request.image[5:]) % 4
            others = [int(other) for other in np.argsort(-probabilities(pixels), kind="stable") if other != target]
            against = None if target is None else label if label not in (None, target) else others[0]
        return replace(request, layer=info.alias, unit=unit, target=target, against=against)

    def _occluded(self, request: OcclusionRequest, boxes: Sequence[Box]) -> Pixels:
        pixels = self._pixels(request.image)
        fill, occluded = fill_of(pixels, request.fill), pixels.copy()
        for left, top, right, bottom in boxes:
            part = np.s_[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
            occluded[part] = fill[part]
        return occluded

    def _classes(self, before: NDArray[np.float64], now: NDArray[np.float64], request: OcclusionRequest) -> tuple[ClassShare, ...]:
        if request.target is None:
            return ()
        labels = [int(label) for label in np.argsort(-now, kind="stable")[:5]]
        labels += [label for label in (request.target, request.against) if isinstance(label, int) and label not in labels]
        return tuple(ClassShare(label, KINDS[label], float(before[label]), float(now[label])) for label in labels)

    # OcclusionService

    def _record(self, kind: str, *arguments: Any) -> None:
        self.calls.append((kind, arguments))
        if self.error:
            raise self.error

    def choices(self) -> OcclusionChoices:
        classes = KINDS if self.service.classifier is not None else None
        uploads = tuple(reversed([name for name in self.pixels if name.startswith("upload:")]))
        return OcclusionChoices((self.side, self.side), classes, classes is None, uploads, self.colours_known)

    def images(self, start: int, count: int, words: str = "", size: int = 96) -> ImagePage:
        self._record("images", start, count, words)
        names = [*reversed([name for name in self.pixels if name.startswith("upload")]), *(f"crop:{number}" for number in range(IMAGES))]
        captions = {name: (f"drawing {name[5:]}", KINDS[int(name[5:]) % 4]) for name in names if name.startswith("crop")}
        found = [name for name in names if words.lower() in " ".join(captions.get(name, (name, ""))).lower()]
        tiles = []
        for name in found[start : start + count]:
            caption, label = captions.get(name, (self.uploads.get(name[7:], (name, b""))[0], None))
            thumbnail = Image.fromarray((255 * self._pixels(name)).astype(np.uint8)).resize((size, size))
            tiles.append(ImageTile(name, caption, label, encode(np.asarray(thumbnail))))
        return ImagePage(len(found), start, tuple(tiles))

    def scene(self, request: OcclusionRequest) -> OcclusionScene:
        self._record("scene", request)
        resolved = self._resolve(request)
        pixels = self._pixels(request.image)
        info = layer_named(resolved.layer)
        assert info
        feature, shares = feature_map(pixels, info, resolved.unit or 0), probabilities(pixels)
        upload = request.image.startswith("upload")
        return OcclusionScene(
            request=resolved,
            caption=self.uploads[request.image[7:]][0] if upload else f"drawing {request.image[5:]}",
            label=None if upload else KINDS[int(request.image[5:]) % 4],
            image=encode((255 * pixels).astype(np.uint8)),
            fill=encode((255 * fill_of(pixels, request.fill)).astype(np.uint8)),
            classes=self._classes(shares, shares, resolved),
            activity=float(feature.sum()),
            map=feature,
            strongest=tuple(strongest_units(pixels, info)),
            truth=None if upload else int(request.image[5:]) % 4,
        )

    def answer(self, request: OcclusionRequest, boxes: Sequence[Box]) -> PatchAnswer:
        self._record("answer", request, [tuple(box) for box in boxes])
        info = layer_named(request.layer)
        assert info
        occluded = self._occluded(request, boxes)
        feature = feature_map(occluded, info, request.unit or 0)
        before, now = probabilities(self._pixels(request.image)), probabilities(occluded)
        return PatchAnswer(self._classes(before, now, request), float(feature.sum()), feature)

    def unit_maps(self, request: OcclusionRequest, units: Sequence[int]) -> UnitMaps:
        self._record("unit_maps", request, tuple(units))
        info = layer_named(request.layer)
        assert info
        maps = np.stack([feature_map(self._pixels(request.image), info, unit) for unit in units])
        return UnitMaps(tuple(units), maps.astype(np.float32), (0.0, 0.0, 1.0, 1.0))

    def start_maps(self, request: OcclusionRequest, settings: MapsSettings, view: str = "", *, unchanged: bool = False) -> int:
        self._record("start_maps", request, settings)
        request = self._resolve(request)
        for number, run in self.runs.items():
            if (run.request, run.settings) == (request, settings):
                run.stopped = False
                return number
        number = len(self.runs) + 1
        self.runs[number] = FakeRun(request, settings, *self._empty(request, settings))
        if self.complete_at_once:
            self.advance(number)
        return number

    def _empty(self, request: OcclusionRequest, settings: MapsSettings) -> tuple[OcclusionMaps, list[int]]:
        (height, width), (down, right) = settings.window, settings.stride
        tops = (
            np.arange(0, self.side - height + 1, down)
            if settings.border == "inside"
            else np.arange(-(height // 2), self.side - height // 2, down)
        )
        lefts = (
            np.arange(0, self.side - width + 1, right)
            if settings.border == "inside"
            else np.arange(-(width // 2), self.side - width // 2, right)
        )
        shape = (len(tops), len(lefts))
        centres = np.stack(np.meshgrid(tops + height / 2, lefts + width / 2, indexing="ij"), axis=-1)
        classes = request.target is not None
        pixels = self._pixels(request.image)
        info = layer_named(request.layer)
        assert info
        shares = probabilities(pixels)
        label = int(shares.argmax())
        activity = float(feature_map(pixels, info, request.unit or 0).sum())
        unoccluded = (
            Unoccluded(float(shares[request.target]), label, float(shares[label]), activity)
            if classes
            else Unoccluded(None, None, None, activity)
        )  # type: ignore[index]
        against = request.against if isinstance(request.against, int) else None
        if against is not None:
            unoccluded = replace(unoccluded, against=float(shares[against]))
        nothing = np.full(shape, np.nan, np.float32)
        maps = OcclusionMaps(
            probability=nothing.copy() if classes else None,
            label=np.full(shape, -1, np.int64) if classes else None,
            label_probability=nothing.copy() if classes else None,
            activity=nothing.copy(),
            centres=centres,
            target=request.target,
            unoccluded=unoccluded,
            layer=request.layer or "",
            unit=request.unit or 0,
            window=settings.window,
            stride=settings.stride,
            fill=request.fill,
            border=settings.border,
            method="incremental",
            complete=False,
            categories=KINDS if classes else (),
            against=against,
            against_scores=None if against is None else nothing.copy(),
        )
        cells = [(row, column) for row in range(shape[0]) for column in range(shape[1])]
        level = {cell: next(step for step in (8, 4, 2, 1) if cell[0] % step == 0 and cell[1] % step == 0) for cell in cells}
        return maps, [row * shape[1] + column for row, column in sorted(cells, key=lambda cell: -level[cell])]

    def advance(self, number: int, count: int | None = None) -> None:
        """Compute the next `count` positions of a run. None: all positions."""
        run = self.runs[number]
        maps, request = run.maps, run.request
        info = layer_named(maps.layer)
        assert info
        now, run.order = run.order[:count], run.order[count:] if count is not None else []
        for cell in now:
            at = np.unravel_index(cell, maps.activity.shape)
            row, column = maps.centres[at]
            top, left = int(row - maps.window[0] / 2), int(column - maps.window[1] / 2)
            occluded = self._occluded(request, [(left, top, left + maps.window[1], top + maps.window[0])])
            maps.activity[at] = feature_map(occluded, info, maps.unit).sum()
            if maps.probability is not None and maps.label is not None and maps.label_probability is not None:
                shares = probabilities(occluded)
                maps.probability[at], maps.label[at] = shares[maps.target or 0], shares.argmax()
                maps.label_probability[at] = shares.max()
                if maps.against_scores is not None:
                    maps.against_scores[at] = shares[maps.against or 0]
        run.maps = replace(maps, complete=not run.order)

    def stop_maps(self, run: int) -> None:
        self._record("stop_maps", run)
        self.runs[run].stopped = True

    def maps(self, run: int) -> OcclusionMaps:
        self._record("maps", run)
        return self.runs[run].maps

    def colours(self, maps: OcclusionMaps) -> Mapping[int, str]:
        return self._colours.of(maps)

    def wait(self, run: int, timeout: float | None = None) -> OcclusionMaps:
        self.advance(run)
        return self.runs[run].maps

    def projections(self, request: OcclusionRequest, size: int = 160) -> Sequence[OcclusionProjection]:
        self._record("projections", request)
        if request.layer == "conv1":
            raise RuleError("Layer 'conv1' cannot be projected with rule='deconvnet': torch.nn.functional.gelu has no backward rule.")
        found = []
        for rank in range(4 if self.service.ready else 1):
            number = (int(request.image.rpartition(":")[2]) if rank == 0 and request.image.startswith("crop") else 20 + rank) % IMAGES
            pixels = (255 * drawing(number, size)).astype(np.uint8)
            noise = np.random.default_rng(number).normal(127, 30, pixels.shape).clip(0, 255).astype(np.uint8)
            values = np.zeros((4, 4), np.float32)
            values[rank, 0] = 9.0 - rank
            pictures = (encode(noise), encode(pixels), encode((255 * drawing(number, 32)).astype(np.uint8)))
            found.append(OcclusionProjection(f"drawing {number}", rank == 0, 9.0 - rank, (0, 0, 32, 32), *pictures, values, (0, 0, 1, 1)))
        return found

    def file(self, kind: OcclusionFile, request: OcclusionRequest, run: int | None, state: Mapping[str, Any]) -> bytes:
        self._record("file", kind, request, run, dict(state))
        return encode(grating(1, 16, signed=False)).data if kind.endswith(".png") else b"<file>" + kind.encode()

    def use_bundled_head(self) -> str:
        self._record("head")
        self.service.classifier = f"Caltech-101's {len(KINDS)} classes"
        self.service.version += 1
        return f"fakenet now predicts {self.service.classifier}; before: no classes."

    def begin_upload(self, name: str, size: int) -> str:
        self._record("begin", name, size)
        if size > MAX_BYTES:
            raise PictureError(
                f"{name} has {size / 1e6:.1f} MB, more than the {MAX_BYTES / 1e6:.1f} MB that can be uploaded: "
                "save it smaller, or as a JPEG."
            )
        upload = str(len(self.uploads))
        self.uploads[upload] = (name, bytearray())
        return upload

    def add_chunk(self, upload: str, offset: int, data: bytes) -> int:
        self._record("chunk", upload, offset, len(data))
        self.uploads[upload][1][offset:] = data
        return len(self.uploads[upload][1])

    def finish_upload(self, upload: str, label: str | None = None) -> str:
        self._record("finish", upload)
        name, data = self.uploads[upload]
        try:
            image = Image.open(io.BytesIO(bytes(data))).convert("RGB").resize((self.side, self.side))
        except UnidentifiedImageError:
            raise PictureError(
                f"{name} cannot be decoded: it is not an image in a format that Pillow can read. "
                "Choose an image, such as a JPEG or PNG file."
            ) from None
        self.pixels[f"upload:{upload}"] = np.asarray(image, np.float32) / 255
        return f"upload:{upload}"

    def cancel_upload(self, upload: str) -> None:
        self._record("cancel", upload)
        self.uploads.pop(upload, None)


class FakeOcclusionService(FakeService):
    """Implements service.protocol.SupportsOcclusion."""

    def __init__(self, side: int = 64) -> None:
        super().__init__()
        self.infos = LAYERS
        self.classifier: str | None = f"{len(KINDS)} kinds of drawings"
        self.occlusion = FakeOcclusionApi(self, side)
        self.contributions = FakeContributionsApi(LAYERS[-1].channels, KINDS, slow=True)

    def overview(self) -> Overview:
        quantity = None if self.classifier is None else SOFTMAX
        changes = {"classifier": self.classifier, "quantity": quantity, "trained": True, "notes": (), "weights": "discs of contrast"}
        return replace(super().overview(), **changes)
