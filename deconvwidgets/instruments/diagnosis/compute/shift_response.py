"""How much a network's activations change when a photograph is shifted by whole pixels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.arguments import flag, integer, integers, one_of
from deconvwidgets.compute.class_labels import classes_of_labels
from deconvwidgets.compute.job import JobContext, as_job
from deconvwidgets.engine.deepest_map import deepest_map
from deconvwidgets.errors import DiagnosisError
from deconvwidgets.images.image_set import ImageSet, require_images
from deconvwidgets.index.activation_index import layers_to_index
from deconvwidgets.instruments.diagnosis.compute.maxima import MaximaPass
from deconvwidgets.instruments.diagnosis.compute.photographs import first_crops, require_readable, spread_sources
from deconvwidgets.instruments.diagnosis.compute.wide_input import WideInput, wide_input
from deconvwidgets.instruments.diagnosis.limits import MIN_PHOTOGRAPHS_OF_CHANGES
from deconvwidgets.instruments.diagnosis.records import DIRECTIONS, Direction, ShiftCurves
from deconvwidgets.instruments.diagnosis.unit_changes import UnitChanges
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.devices import on_device
from deconvwidgets.records.images import SkippedImage
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.records.progress import Progress

MAX_SHIFTS = 257
_BATCH = 16
_TITLE = "Shifts"


def shift_response(
    bundle: ModelBundle,
    images: ImageSet,
    *,
    shifts: Iterable[int] = range(9),
    direction: Direction = "right",
    layers: Sequence[str] | None = None,
    photographs: int = 20,
    device: str = "auto",
    progress: bool = False,
    job: JobContext | None = None,
) -> ShiftCurves:
    """Measure how much activations and the class's probability change when photographs are shifted by whole input pixels.

    The crop that the model sees is moved over the resized photograph, so that real content moves in; where the photograph ends, its edge
    pixels are repeated. Related to figure 5 of Zeiler & Fergus 2014, which has distances of whole layers for larger translations; the
    relative change of strongest activations is our extension, and shows the periods of strides.

    Parameters
    ----------
    bundle : ModelBundle
    images : ImageSet
        Each photograph is represented by its first crop.
    shifts : iterable of int
        Numbers of pixels, from 0 to less than the input's size.
    direction : {"right", "left", "up", "down"}
        Where the content moves.
    layers : sequence of str, optional
        Names or aliases; by default the convN feature maps.
    photographs : int
        How many are measured, evenly spread over the set.
    device : str
        "auto", "cpu", "cuda:1", ...
    progress : bool
        Show a progress bar.
    job : JobContext, optional
        Progress, cancellation and the device lease.

    Returns
    -------
    ShiftCurves
        The median relative change by layer and shift, that of each unit of the deepest feature map, and the change of the probability.

    Raises
    ------
    DiagnosisError
        For shifts, a direction or a number of photographs that are not valid, and if no photograph can be read.
    LayerError
        For an unknown layer.
    JobCancelledError
        If the job is cancelled.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> curves = dw.shift_response(dw.load_model("alexnet"), dw.open_images("photos"), shifts=[0, 1, 4], photographs=2)
    >>> curves.layer("conv1")[[0, 2]].round(3)  # conv1 has a stride of 4 pixels: a shift by 4 moves its map by one
    array([0., 0.])
    >>> bool(curves.layer("conv5")[1] > 0.02)
    True
    """
    images, job, progress = require_images(images), as_job(job), flag(progress, "progress", DiagnosisError)
    one_of(direction, "direction", DIRECTIONS, DiagnosisError)
    bundle = on_device(bundle, device)
    extent = bundle.input_size[2 if direction in ("right", "left") else 1]
    pixels = checked_shifts(shifts, extent)
    count = integer(photographs, "photographs", 1, error=DiagnosisError)
    measured = _Measured(bundle, layers_to_index(bundle, layers), pixels, direction)
    sources = spread_sources(images.source_count, count)
    labels = classes_of_labels(bundle, images)
    with job.progress_bar(_TITLE, "photograph", len(sources), progress) as context:
        for done, opened in enumerate(first_crops(images, sources), start=1):
            context.check_cancelled(f"The shifts were cancelled after {done - 1} of {len(sources)} photographs")
            if opened.image is None:
                measured.skipped.extend([opened.skipped] if opened.skipped else [])
            else:
                measured.add(wide_input(bundle, opened.image, max(pixels)), int(labels[opened.source]), context)
            context.report(Progress(_TITLE, done, len(sources)))
    return measured.record()


def checked_shifts(shifts: object, extent: int) -> tuple[int, ...]:
    """Return shifts as a tuple. Raises DiagnosisError unless they are different integers from 0 to less than the input's extent."""
    found = integers(shifts, "shifts", "one or more numbers of pixels", 0, extent - 1, DiagnosisError)
    if not found or len(found) > MAX_SHIFTS or len(set(found)) < len(found):
        raise DiagnosisError(f"shifts must be from 1 to {MAX_SHIFTS} different numbers of pixels, such as range(9).")
    return tuple(found)


@dataclass
class _Measured:
    """The changes of the photographs so far."""

    bundle: ModelBundle
    layers: tuple[LayerInfo, ...]
    shifts: tuple[int, ...]
    direction: Direction
    changes: dict[str, list[NDArray[np.float32]]] = field(default_factory=dict)
    unit_changes: list[NDArray[np.float32]] = field(default_factory=list)  # by photograph: (S, U) of the deepest map
    probabilities: list[NDArray[np.float64]] = field(default_factory=list)
    labelled: list[bool] = field(default_factory=list)
    filled: int = 0
    skipped: list[SkippedImage] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._forward = MaximaPass(self.bundle, self.layers)
        self._signs = {"right": (1, 0), "left": (-1, 0), "up": (0, -1), "down": (0, 1)}[self.direction]
        self._deepest = deepest_map(self.bundle.network, self.layers)

    def add(self, wide: WideInput, label: int, job: JobContext) -> None:
        """Measure a photograph: every shift against the one by 0."""
        moves = [(self._signs[0] * pixels, self._signs[1] * pixels) for pixels in (0, *self.shifts)]
        maxima: dict[str, list[NDArray[np.float32]]] = {}
        scores = []
        for batch in _batches(wide, moves):
            with job.device_lease():
                found, probabilities = self._forward.run(batch)
            for name, values in found.items():
                maxima.setdefault(name, []).append(values)
            scores.extend([] if probabilities is None else [probabilities])
        for name, parts in maxima.items():
            strongest = np.concatenate(parts)
            self.changes.setdefault(name, []).append(relative_changes(strongest))
            if self._deepest is not None and name == self._deepest.name:
                self.unit_changes.append(_changes_of_units(strongest))
        if scores:
            joined = np.concatenate(scores)
            named = label if label >= 0 else int(joined[0].argmax())
            self.probabilities.append(np.abs(joined[1:, named] - joined[0, named]))
        self.labelled.append(label >= 0)
        self.filled += not all(wide.is_real(*move) for move in moves)

    def record(self) -> ShiftCurves:
        """Return the curves."""
        require_readable(len(self.labelled), self.skipped)
        changes = np.stack([_median(np.concatenate(self.changes[info.name], axis=1)) for info in self.layers])
        use = np.array(self.labelled) if any(self.labelled) else np.ones(len(self.labelled), np.bool_)
        without = np.full(len(self.shifts), np.nan)
        axis = 1 if self.direction in ("right", "left") else 0
        return ShiftCurves(
            layers=tuple(info.short_name for info in self.layers),
            strides=tuple(0 if info.stride is None else info.stride[axis] for info in self.layers),
            shifts=self.shifts,
            direction=self.direction,
            changes=changes,
            probability=np.stack(self.probabilities)[use].mean(axis=0) if self.probabilities else without,
            reference="label" if any(self.labelled) else "predicted",
            photographs=len(self.labelled),
            labelled=sum(self.labelled),
            filled=self.filled,
            skipped=tuple(self.skipped),
            units=self._units(),
        )

    def _units(self) -> UnitChanges | None:
        if self._deepest is None:
            return None
        changes = np.stack(self.unit_changes).astype(np.float64)
        counts = np.isfinite(changes[:, 0]).sum(axis=0)  # whether a unit is active in the original is the same for every shift
        enough = counts >= MIN_PHOTOGRAPHS_OF_CHANGES
        medians = np.full(changes.shape[1:], np.nan)
        medians[:, enough] = np.nanmedian(changes[:, :, enough], axis=0)
        return UnitChanges(layer=self._deepest.short_name, shifts=self.shifts, changes=medians, photographs=counts)


def relative_changes(maxima: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return |moved - original| / original of the units that are active in the original.

    Parameters
    ----------
    maxima : array (1 + S, units)
        The strongest activations in the original, and after each shift.

    Returns
    -------
    array (S, active units)
    """
    active = maxima[:, maxima[0] > 0]
    return np.asarray(np.abs(active[1:] - active[0]) / active[0], np.float32)


def _changes_of_units(maxima: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the relative changes (S, U) of every unit from its maxima (1 + S, U); NaN for one that is not active in the original."""
    found = np.full((len(maxima) - 1, maxima.shape[1]), np.nan, np.float32)
    found[:, maxima[0] > 0] = relative_changes(maxima)
    return found


def _batches(wide: WideInput, moves: Sequence[tuple[int, int]]) -> Iterator[Tensor]:
    for start in range(0, len(moves), _BATCH):
        yield torch.stack([wide.shifted(*move) for move in moves[start : start + _BATCH]])


def _median(changes: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the median over units (S,); NaN without any."""
    return np.median(changes, axis=1).astype(np.float64) if changes.shape[1] else np.full(len(changes), np.nan)
