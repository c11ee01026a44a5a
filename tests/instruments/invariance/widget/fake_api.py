"""A fake InvarianceApi: curves that depend on the image and the transformation. Tests read the recorded calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from deconvwidgets.errors import LayerError, PictureError
from deconvwidgets.instruments.invariance.figures.files import invariance_file
from deconvwidgets.instruments.invariance.figures.view import view_file
from deconvwidgets.instruments.invariance.records import (
    ClassScore,
    InvarianceChoices,
    InvarianceCurves,
    InvarianceRequest,
    InvarianceView,
    Measure,
    PhotographCurves,
    StrongUnit,
    UnitPicture,
)
from deconvwidgets.instruments.invariance.transforms import Transform, kind_of
from deconvwidgets.records.quantity import SOFTMAX
from tests.instruments.occlusion.widget.fake_api import KINDS, FakeOcclusionService
from tests.widgets.fake_service import encode, grating

LAYERS = ("conv1", "pool1", "conv5", "fc7")
SIDE = 64


class FakeInvarianceApi:
    """Implements service.protocol.InvarianceService."""

    def __init__(self, service: FakeInvarianceService) -> None:
        self._service = service
        self.calls: list[tuple[str, Any]] = []
        self.error: Exception | None = None  # raised by recorded calls
        self.computed: set[tuple[str, str]] = set()  # the curves: (image, transformation)

    def _record(self, name: str, value: Any) -> None:
        self.calls.append((name, value))
        if self.error:
            raise self.error

    def choices(self) -> InvarianceChoices:
        images = tuple(f"crop:{number}" for number in (0, 8, 16))
        uploads = tuple(self._service.occlusion.choices().uploads)
        return InvarianceChoices(LAYERS, ("conv1", "fc7"), images, uploads, 224, "#7c7468, the mean", "probability")

    def view(self, request: InvarianceRequest) -> InvarianceView:
        self._record("view", request)
        kind = kind_of(request.transform)
        amount = kind.checked(request.amount)
        seed = _seed(request.image)
        layer = request.layer or "conv5"
        if layer not in LAYERS:
            raise LayerError(f"There is no layer {layer}.")
        change = 0.0 if kind.neutral is not None and amount == kind.neutral else min(1.0, 0.2 + abs(amount) / 100)
        units = tuple(StrongUnit(unit, 9.0 - unit / 2 - change, 8.5 - unit / 2, unit, (0, 0, 30, 30)) for unit in range(request.top))
        classes = tuple(ClassScore(label, KINDS[label], 0.5 / (label + 1) * (1 - change / 2), 0.5 / (label + 1)) for label in range(5))
        return InvarianceView(
            caption=f"photograph {seed}",
            original=encode(grating(seed, SIDE, signed=False)),
            picture=encode(grating(seed + round(10 * change), SIDE, signed=False)),
            distances=tuple(3 * change for _ in request.layers),
            relative=tuple(change for _ in request.layers),
            layer=layer,
            units=units,
            kept=len(units),
            classes=classes,
            quantity=SOFTMAX,
            labelled=seed % 2 == 0,
            note="",
        )

    def unit_pictures(self, request: InvarianceRequest, units: Sequence[int], size: int = 96) -> Sequence[UnitPicture]:
        self._record("unit_pictures", (request, tuple(units)))
        return tuple(
            UnitPicture(unit, None if unit == 3 else encode(grating(unit, size, signed=True)), encode(grating(unit, size, signed=False)))
            for unit in units
        )

    def curves(self, images: Sequence[str], transform: Transform, layers: Sequence[str]) -> InvarianceCurves:
        self._record("curves", (tuple(images), transform, tuple(layers)))
        kind = kind_of(transform)
        amounts = np.array(kind.amounts(224))
        unknown = [name for name in layers if name not in LAYERS]
        if unknown:
            raise LayerError(f"There is no layer {unknown[0]}.")
        self.computed |= {(image, transform) for image in images}
        photographs = tuple(_photograph(_seed(image), amounts, len(layers), kind.neutral) for image in images)
        return InvarianceCurves("fakenet", "gratings", transform, amounts, tuple(layers), photographs, SOFTMAX, "#7c7468, the mean")

    def known(self, images: Sequence[str], transform: Transform, layers: Sequence[str]) -> bool:
        return all((image, transform) in self.computed for image in images)

    def view_picture(self, request: InvarianceRequest) -> bytes:
        return view_file(self.view(request), "fakenet", request)

    def file(self, kind: str, images: Sequence[str], transform: Transform, layers: Sequence[str], measure: Measure = "relative") -> bytes:
        self._record("file", kind)
        return invariance_file(self.curves(images, transform, layers), kind, measure)


class FakeInvarianceService(FakeOcclusionService):
    """Implements service.protocol.SupportsInvariance."""

    def __init__(self) -> None:
        super().__init__()
        self.invariance = FakeInvarianceApi(self)


def _seed(image: str) -> int:
    if not image.startswith(("crop:", "upload:")):
        raise PictureError(f"There is no image {image!r}.")
    return int(image[5:]) if image.startswith("crop:") else 1


def _photograph(seed: int, amounts: np.ndarray, layers: int, neutral: float | None) -> PhotographCurves:
    away = np.abs(amounts - (amounts[-1] if neutral is None else neutral)) / np.ptp(amounts)
    distances = np.stack([3 * away ** (0.3 * (layer + 1)) * (1 + seed / 40) for layer in range(layers)])
    pictures = np.stack([grating(seed + step, 32, signed=False) for step in range(5)])
    places = np.linspace(0, len(amounts) - 1, 5).round().astype(int)
    return PhotographCurves(
        name=f"photograph {seed}.jpg",
        target=KINDS[seed % len(KINDS)],
        labelled=seed % 2 == 0,
        norms=np.full(layers, 3.0),
        distances=distances,
        scores=0.9 - 0.5 * away,
        unchanged=0.9,
        picture=pictures[0],
        examples=pictures,
        example_amounts=tuple(amounts[places].tolist()),
    )
