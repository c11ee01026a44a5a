"""A fake DiagnosisApi without a model: its filters are gratings, and its curves are straight lines with the period of the stride."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from deconvwidgets import display
from deconvwidgets.errors import DiagnosisError, PictureError
from deconvwidgets.instruments.diagnosis.compute.filter_pictures import filter_spectrum, filter_sprite
from deconvwidgets.instruments.diagnosis.input_records import InputCheck, InputVariant
from deconvwidgets.instruments.diagnosis.map_aliasing import MapAliasing
from deconvwidgets.instruments.diagnosis.panel_records import (
    CURVE_SHIFTS,
    AblationCode,
    ArmAccuracy,
    ArmSummary,
    DiagnosisStatus,
    FilterPictures,
    FilterSpectrum,
    Phase,
    ShiftedClass,
    ShiftedLayer,
    ShiftedResult,
    ShiftPhotograph,
    ShiftRequest,
)
from deconvwidgets.instruments.diagnosis.records import (
    Diagnosis,
    Finding,
    FirstLayer,
    ShiftCurves,
    SuggestedSurgery,
    UnitEvidence,
)
from deconvwidgets.records.progress import Progress
from tests.instruments.occlusion.widget.fake_api import FakeOcclusionService
from tests.widgets.fake_service import FakeService, encode, grating

BLUR = SuggestedSurgery("blur pool", "swap_pooling", {"to": "blur"})
SMALL = SuggestedSurgery("smaller filters", "change_first_layer", {"kernel_size": 7, "stride": 2})
MERGE = SuggestedSurgery("merge them", "merge_units", {"layer": "conv2", "units": (1, 2)})
UNITS, SIDE, MARGIN = 24, 11, 32
LAYERS = ("conv1", "conv2", "odd.layer")


def first_layer() -> FirstLayer:
    """24 gratings, from low to high frequencies."""
    y, x = np.mgrid[:SIDE, :SIDE]
    frequencies = np.linspace(0.02, 0.45, UNITS)
    waves = [np.cos(2 * np.pi * frequency * (x * np.cos(turn) + y * np.sin(turn))) for turn, frequency in enumerate(frequencies)]
    weights = np.stack([np.stack([wave, 0.7 * wave, 0.4 * wave]) for wave in waves]).astype(np.float32)
    ratio = 0.6 + np.arange(UNITS) / 15
    shares = np.stack([frequencies < 0.06, (frequencies >= 0.06) & (frequencies < 0.18), frequencies >= 0.18], axis=1).astype(float)
    counts = np.histogram(frequencies, 25, (0, 0.5))[0]
    return FirstLayer(
        name="features.0",
        alias="conv1",
        kernel_size=(SIDE, SIDE),
        stride=(4, 4),
        weights=weights,
        rms=ratio / 10,
        rms_ratio=ratio,
        centre=frequencies,
        shares=shares,
        bands=(0.06, 0.18),
        mean_shares=(0.06, 0.4, 0.54),
        noise_shares=(0.01, 0.09, 0.9),
        histogram=counts / counts.sum(),
        histogram_above=np.histogram(frequencies[frequencies > 0.125], 25, (0, 0.5))[0] / counts.sum(),
        edges=np.linspace(0, 0.5, 26),
        carried=0.125,
        aliased=np.clip((frequencies - 0.1) * 3, 0, 1),
        aliased_mean=0.38,
        photographs=20,
    )


def shift_curves(factor: float = 1.0) -> ShiftCurves:
    """Lines, of which conv1 has the period of its stride."""
    shifts = np.array(CURVE_SHIFTS)
    changes = factor * np.stack([0.07 * np.abs(np.sin(np.pi * shifts / 4)), 0.01 * shifts, 0.018 * shifts])
    return ShiftCurves(
        layers=LAYERS,
        strides=(4, 8, 0),
        shifts=tuple(shifts.tolist()),
        direction="right",
        changes=changes,
        probability=0.004 * shifts,
        reference="label",
        photographs=20,
        labelled=18,
    )


def fake_aliasing(mean: float = 0.31, blurred: bool = False) -> MapAliasing:
    """The map of conv1, subsampled by 4."""
    shares = np.full(UNITS, mean)
    return MapAliasing(
        layer="conv1",
        stride=(4, 4),
        blurred=blurred,
        shares=shares,
        mean=mean,
        unblurred=np.full(UNITS, 0.31),
        unblurred_mean=0.31,
        photographs=10,
    )


def fake_diagnosis() -> Diagnosis:
    """Findings of every level."""
    worst = tuple(UnitEvidence("conv1", unit, 1.0 - unit / 100, f"{100 - unit}%") for unit in range(UNITS - 1, 10, -1))
    pair = (UnitEvidence("conv2", 1, 0.97, "like unit 2, correlation 0.97"), UnitEvidence("conv2", 2, 0.97, "like unit 1"))
    aliasing = "38% of what the first layer computes is finer than a stride of 4 can carry."
    findings = (
        Finding(
            "aliasing",
            "found",
            "Aliasing at the first stride",
            "13 of 24",
            aliasing,
            "measured on 20 photographs",
            "saw it",
            worst,
            (SMALL, BLUR),
        ),
        Finding("shift", "near", "Changes under shifts", "9.5% at 1 px", "The median change of conv2.", "20 photographs", "", (), (BLUR,)),
        Finding("near_copies", "near", "Near copies", "1 pair", "conv2 1 and 2.", "40 photographs", "", pair, (MERGE,)),
        Finding("dead_units", "clear", "Dead units", "0 of 89", "Every unit is active in some photograph.", "40 photographs"),
        Finding("input", "not_checked", "Input as in training", "cannot be checked", "There is no batch norm.", "one pass"),
    )
    return Diagnosis(
        model="fakenet",
        weights="random, untrained",
        trained=False,
        image_set="gratings",
        photographs=40,
        crops=120,
        layers=FakeService().infos,
        findings=findings,
        first_layer=first_layer(),
        shift=shift_curves(),
        input=InputCheck(level="not_checked", summary="", layers=(), divergences=np.zeros(0), photographs=40),
    )


def diagnosis_with_sweep() -> Diagnosis:
    """A network with 10 batch norms that was trained on BGR."""
    ways = [
        ("channels reversed (BGR for RGB)", "channels", 0.84, True),
        ("as given", "given", 0.61, False),
        ("0 to 1", "range", 0.02, False),
    ]
    check = InputCheck(
        level="found",
        summary="With channels reversed, top-1 is 84.0% instead of 61.0%.",
        layers=tuple(f"features.{number}.norm" for number in range(10)),
        divergences=np.array([0.03, 0.01, 0.02, 0.05, 0.04, 0.09, 0.08, 0.07, 0.06, 0.1]),
        photographs=40,
        variants=tuple(InputVariant(label, kind, top1, float("nan"), 1.0, better) for label, kind, top1, better in ways),  # type: ignore[arg-type]
        labelled=38,
    )
    plain = fake_diagnosis()
    found = Finding("input", "found", "Input as in training?", "BGR: 84% against 61%", check.summary, "Not detected: mirrored photographs.")
    return replace(plain, findings=(*plain.findings[:-1], found), input=check)


class FakeDiagnosisApi:
    """Implements service.protocol.DiagnosisService. A test sets the phase, and `complete` ends what is running."""

    def __init__(self, service: FakeDiagnosisService, phase: Phase = "done") -> None:
        self.service, self.phase = service, phase
        self.calls: list[tuple[str, Any]] = []
        self.error: Exception | None = None  # raised by recorded calls
        self.version, self.current = 1, True
        self.problem: str | None = None
        self.result = fake_diagnosis()
        self.layers: tuple[str, ...] = LAYERS
        self.arms = [
            ArmSummary(
                arm=0,
                label="as it is",
                parent=None,
                phase="done",
                curves=shift_curves(),
                accuracy=ArmAccuracy(0.935, 200),
                aliasing=fake_aliasing(),
            )
        ]

    def status(self) -> DiagnosisStatus:
        progress = Progress("diagnosis", 10, 40, 12.0) if self.phase == "running" else None
        code = "import deconvwidgets as dw\n\nbundle = service.bundle\nstudy = dw.run_ablation(...)"
        return DiagnosisStatus(
            version=self.version,
            phase=self.phase,
            progress=progress,
            problem=self.problem,
            current=self.current,
            arms=tuple(self.arms),
            ablation=None if len(self.arms) < 2 else AblationCode("Trains them alike.", code),
            uploads=self.service.occlusion.choices().uploads,
        )

    def start(self) -> None:
        self._record("start")
        self.phase, self.version = "running", self.version + 1

    def stop(self) -> None:
        self._record("stop")
        self.phase = "stopped"

    def wait(self, timeout: float | None = None) -> Diagnosis:
        self._record("wait", timeout)
        self.phase = "done"
        return self.diagnosis()

    def diagnosis(self) -> Diagnosis:
        if self.phase != "done":
            raise DiagnosisError("The diagnosis is still running: wait for it.")
        return self.result

    def filters(self, tile: int = 40) -> FilterPictures:
        self._record("filters", tile)
        assert self.result.first_layer is not None
        return FilterPictures(encode(filter_sprite(self.result.first_layer, [0, 1, 2], tile)), tile, UNITS)

    def spectrum(self, unit: int) -> FilterSpectrum:
        self._record("spectrum", unit)
        assert self.result.first_layer is not None
        return FilterSpectrum(unit, filter_spectrum(self.result.first_layer.weights[unit]), 0.125)

    def photograph(self, image: str) -> ShiftPhotograph:
        self._record("photograph", image)
        uploaded = image.startswith("upload:")
        number = 0 if uploaded else int(image.removeprefix("crop:"))
        if number == 7:
            raise PictureError("photograph-7.jpg can no longer be read: it is truncated.")
        picture = encode(display.resize_image(grating(number, 64, signed=False), 224 + 2 * MARGIN))
        caption, label = ("mine.png", None) if uploaded else (f"photograph-{number}.jpg", "kite")
        return ShiftPhotograph(image, caption, label, picture, 224, 224, MARGIN, (0, 0, 0, 30))

    def neighbour(self, image: str, step: int = 1) -> str:
        self._record("neighbour", image, step)
        number = 0 if image.startswith("upload:") else int(image.removeprefix("crop:"))
        return f"crop:{(number + step) % 120}"

    def shifted(self, request: ShiftRequest) -> ShiftedResult:
        """Return values that fall by one per pixel, and maps whose maximum moves with the shift."""
        self._record("shifted", request)
        few = self.layers if len(self.layers) <= 8 else self.layers[:3] + self.layers[-2:]
        layers = []
        for number, layer in enumerate(self.layers if request.layers == "all" else few):
            if layer.startswith("fc"):  # one value, which rises by a tenth per pixel
                values = np.array([10.0, 10.0 + abs(request.right)], np.float32).reshape(2, 1, 1)
                layers.append(ShiftedLayer(layer, 3 + number, 0, 10.0, 10.0 + abs(request.right), abs(request.right) / 50, values))
                continue
            maps = np.zeros((2, 9, 9), np.float32)
            maps[0, 4, 4] = maps[1, 4, np.clip(4 + request.right, 0, 8)] = 20
            after = 20.0 - (0 if request.arm else abs(request.right))
            layers.append(ShiftedLayer(layer, 3 + number, 4, 20.0, after, abs(request.right) / 100, maps))
        predicted = ShiftedClass("kite", 0.8, 0.8 - abs(request.right) / 50, "label", "kite" if request.right < 6 else "bee")
        return ShiftedResult(request, tuple(layers), predicted, len(few), len(self.layers))

    def add_arm(self, surgery: SuggestedSurgery, parent: int = 0) -> int:
        self._record("add_arm", surgery, parent)
        before = next(arm for arm in self.arms if arm.arm == parent)
        label = surgery.label if parent == 0 else f"{before.label}, {surgery.label}"
        made = ArmSummary(arm=len(self.arms), label=label, parent=parent, steps=("Each max pool is blurred.",), kept=1000, phase="waiting")
        self.arms.append(made)
        return made.arm

    def complete(self) -> None:
        """End what is running."""
        self.phase = "done"
        measured = {
            "phase": "done",
            "curves": shift_curves(0.6),
            "accuracy": ArmAccuracy(0.88, 200),
            "aliasing": fake_aliasing(0.016, True),
        }
        self.arms = [arm if arm.curves is not None else replace(arm, **measured) for arm in self.arms]

    def remove_arm(self, arm: int) -> int:
        self._record("remove_arm", arm)
        removed = next((one for one in self.arms if one.arm == arm), None)
        if removed is None or removed.parent is None:
            raise DiagnosisError("The model as it is cannot be undone: nothing was done to it.")
        self.arms.remove(removed)
        return removed.parent

    def wait_for_arm(self, arm: int, timeout: float | None = None) -> None:
        self._record("wait_for_arm", arm)
        self.complete()

    def file(self, kind: str) -> bytes:
        self._record("file", kind)
        return encode(grating(1, 16, signed=True)).data if kind.endswith(".png") else b"<report>" + kind.encode()

    def _record(self, kind: str, *rest: Any) -> None:
        self.calls.append((kind, rest))
        if self.error:
            raise self.error


class FakeDiagnosisService(FakeService):
    """Implements `SupportsDiagnosis`, and the layers of `FakeService`."""

    def __init__(self, phase: Phase = "done") -> None:
        super().__init__()
        other = FakeOcclusionService()  # for uploads
        self.occlusion, self.contributions = other.occlusion, other.contributions
        self.diagnosis = FakeDiagnosisApi(self, phase)
