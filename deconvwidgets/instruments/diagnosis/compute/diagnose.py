"""`diagnose`: all checks of a network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Literal

from deconvwidgets.arguments import flag, integer
from deconvwidgets.compute.job import JobContext, as_job
from deconvwidgets.compute.stream import prepared_crops
from deconvwidgets.engine.deepest_map import deepest_map
from deconvwidgets.engine.filters import convolution_filters
from deconvwidgets.errors import DiagnosisError
from deconvwidgets.images.image_set import ImageSet, require_images
from deconvwidgets.index.activation_index import ActivationIndex, layers_to_index
from deconvwidgets.index.cached_build import cached_index
from deconvwidgets.instruments.diagnosis.compute.aliasing_finding import aliasing
from deconvwidgets.instruments.diagnosis.compute.check_input import check_input
from deconvwidgets.instruments.diagnosis.compute.dense_map import DenseMap
from deconvwidgets.instruments.diagnosis.compute.first_layer import PhotographSpectrum, first_convolution, first_layer
from deconvwidgets.instruments.diagnosis.compute.input_finding import input_finding
from deconvwidgets.instruments.diagnosis.compute.input_labels import checked_labels
from deconvwidgets.instruments.diagnosis.compute.layer_findings import frequencies
from deconvwidgets.instruments.diagnosis.compute.layer_findings import shifts as shift_finding
from deconvwidgets.instruments.diagnosis.compute.map_aliasing import map_aliasing
from deconvwidgets.instruments.diagnosis.compute.photographs import spread_sources
from deconvwidgets.instruments.diagnosis.compute.possible_surgeries import with_possible_surgeries
from deconvwidgets.instruments.diagnosis.compute.read_value import ReadValue
from deconvwidgets.instruments.diagnosis.compute.shift_response import MAX_SHIFTS, checked_shifts, shift_response
from deconvwidgets.instruments.diagnosis.compute.unit_checks import LayerUnits, filter_sizes, near_pairs, units_of
from deconvwidgets.instruments.diagnosis.compute.unit_findings import (
    always_active,
    dead_units,
    dominating_filters,
    near_copies,
    one_photograph,
)
from deconvwidgets.instruments.diagnosis.compute.unit_surgeries import normalization, removal
from deconvwidgets.instruments.diagnosis.compute.varying_maps import compare_maps
from deconvwidgets.instruments.diagnosis.input_records import InputCheck
from deconvwidgets.instruments.diagnosis.limits import ENOUGH_PHOTOGRAPHS
from deconvwidgets.instruments.diagnosis.records import CHECKS, LEVELS, Diagnosis, Finding, FirstLayer, ShiftCurves
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.devices import on_device
from deconvwidgets.records.images import without_repeats

_SPECTRUM_PHOTOGRAPHS = 20


def diagnose(
    bundle: ModelBundle,
    images: ImageSet,
    *,
    layers: Sequence[str] | None = None,
    shift_photographs: int = 20,
    shifts: Iterable[int] = (1, 2, 4),
    labels: Literal["auto"] | None = None,
    device: str = "auto",
    progress: bool = False,
    job: JobContext | None = None,
) -> Diagnosis:
    """Check what looks wrong with a network, as Zeiler & Fergus 2014 (section 4.1) did by eye.

    Nine checks: aliasing by the first stride, changes under shift, extreme frequencies in the first layer, units that respond to one
    photograph, near-copies, dominating filters, dead and always active units, and whether the input is prepared as in training. Each
    says what it was measured on, and how it is judged; the measures and limits are our extension. The statistics of units are read from
    the activation index of the images, which is built if the cache has none.

    Parameters
    ----------
    bundle : ModelBundle
    images : ImageSet
        The photographs. With fewer than 50, neither units nor the statistics of the input are judged beyond "near".
    layers : sequence of str, optional
        Names or aliases of the layers whose units are checked; by default the convN feature maps.
    shift_photographs : int
        How many photographs are shifted.
    shifts : iterable of int
        By how many input pixels, to the right. A shift by 1 is measured in any case: the limits hold for it.
    labels : "auto" or None
        "auto" also compares ways to prepare up to 100 photographs whose label names a class of the model, as `dw.check_input` does. Only
        this detects swapped channels, and checks the input of a network without batch norm. It takes about 15 forward passes a photograph.
    device : str
        "auto", "cpu", "cuda:1", ...
    progress : bool
        Show progress bars.
    job : JobContext, optional
        Progress, cancellation and the device lease.

    Returns
    -------
    Diagnosis
        A finding per check, those found first.

    Raises
    ------
    DiagnosisError
        For numbers or labels that are not valid, if no label names a class of the model, and if no photograph can be read.
    LayerError
        For an unknown layer.
    ModelError
        If a feature map contains NaN or infinity.
    JobCancelledError
        If the job is cancelled.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> found = dw.diagnose(dw.load_model("alexnet"), dw.open_images("photos", limit=3), layers=["conv1", "conv2"], shift_photographs=1)
    >>> found.finding("aliasing").level, found.finding("aliasing").title
    ('found', 'Aliasing at the first stride')
    >>> found.first_layer.kernel_size, found.first_layer.stride, found.first_layer.carried
    ((11, 11), (4, 4), 0.125)
    """
    images, job, progress = require_images(images), as_job(job), flag(progress, "progress", DiagnosisError)
    count = integer(shift_photographs, "shift_photographs", 1, error=DiagnosisError)
    bundle = on_device(bundle, device)
    checked_labels(labels, bundle, images)  # before the work begins
    pixels = _with_one(checked_shifts(shifts, bundle.input_size[2]), bundle.input_size[2])
    infos = layers_to_index(bundle, layers)
    names = [info.name for info in infos]
    index = cached_index(bundle, images, names, device=device, progress=progress, job=job)
    units = compare_maps(bundle, images, units_of(index, bundle.network), job)
    checked = check_input(bundle, images, labels=labels, device=device, progress=progress, job=job)
    curves = shift_response(bundle, images, shifts=pixels, layers=names, photographs=count, device=device, progress=progress, job=job)
    first = _first_layer(bundle, images, job)
    with job.device_lease():
        return _diagnosis(bundle, images, index, units, first, curves, checked)


def _first_layer(bundle: ModelBundle, images: ImageSet, job: JobContext) -> FirstLayer | None:
    """Return the first layer with what its stride aliases, measured on what its convolution reads of some photographs."""
    filters = first_convolution(bundle.network)
    if filters is None:
        return None
    read = ReadValue(bundle, filters)
    photographs = PhotographSpectrum(*read.size)
    if filters.window.stride != (1, 1):
        sources = spread_sources(images.source_count, _SPECTRUM_PHOTOGRAPHS)
        for item in prepared_crops(bundle, images, [images.crops_of(source)[0] for source in sources], threads=job.decode_threads):
            job.check_cancelled("The diagnosis was cancelled")
            if item.pixels is not None:
                with nullcontext() if read.is_input else job.device_lease():
                    pixels = read.of(item.pixels)
                photographs.add(pixels)
    blur = DenseMap(bundle.network, filters).blur
    found = first_layer(filters, bundle.input_size[0], photographs, blur)
    measured = map_aliasing(bundle, images, job)
    if isinstance(measured, str):
        return replace(found, no_map_aliasing=measured)
    return replace(found, map_aliasing=measured)


def _channel_notes(bundle: ModelBundle) -> tuple[str, ...]:
    """Return that the first layer's filters have other channels than the input, if they have."""
    filters = first_convolution(bundle.network)
    return () if filters is None else ReadValue(bundle, filters).notes()


def _findings(
    bundle: ModelBundle,
    index: ActivationIndex,
    units: Sequence[LayerUnits],
    first: FirstLayer | None,
    curves: ShiftCurves,
    checked: Finding,
) -> tuple[Finding, ...]:
    """Return the findings: found ones first, then close ones, clear ones, and the checks that cannot be made.

    Surgeries that may mend them are tried, which runs the model: hold the device lease.
    """
    filters, deepest = convolution_filters(bundle.network), deepest_map(bundle.network, index.layers)
    photographs, sizes = index_photographs(index), filter_sizes(filters, {info.name for info in index.layers})
    found = [
        aliasing(first),
        shift_finding(curves, None if deepest is None else deepest.short_name, filters, _pools(bundle)),
        frequencies(first),
        one_photograph(units, photographs),
        near_copies(near_pairs(index, filters), photographs),
        dominating_filters(sizes, normalization(bundle, sizes)),
        dead_units(units, photographs, removal(bundle, units, photographs)),
        always_active(units, photographs),
        checked,
    ]
    return tuple(sorted(found, key=lambda finding: (LEVELS.index(finding.level), CHECKS.index(finding.check))))


def _with_one(pixels: tuple[int, ...], width: int) -> tuple[int, ...]:
    """Return shifts with one by 1 pixel, unless there are too many, or the input is too narrow."""
    return pixels if 1 in pixels or len(pixels) >= MAX_SHIFTS or width < 2 else (1, *pixels)


def _pools(bundle: ModelBundle) -> bool:
    """Return whether a model has a max pooling with a stride that is not global; False if it cannot be traced."""
    graph = bundle.network.graph
    windows = [] if graph is None else [(graph.window_of(node), operation) for node, operation in graph.operations.items()]
    return any(
        window is not None and window.kind == "max" and max(window.stride) > 1 and operation.extent != (1, 1)
        for window, operation in windows
    )


def index_photographs(index: ActivationIndex) -> int:
    """Return the number of different photographs that an index has seen."""
    return len({int(content) for content in index.contents if content})


def _diagnosis(
    bundle: ModelBundle,
    images: ImageSet,
    index: ActivationIndex,
    units: Sequence[LayerUnits],
    first: FirstLayer | None,
    curves: ShiftCurves,
    checked: InputCheck,
) -> Diagnosis:
    photographs = index_photographs(index)
    few = f"Only {photographs:,} photographs: units are judged with {ENOUGH_PHOTOGRAPHS} or more."
    untraced = f"The model cannot be traced ({bundle.network.reason}): its filters and batch norms are unknown."
    findings, refused = with_possible_surgeries(bundle, _findings(bundle, index, units, first, curves, input_finding(checked)))
    notes = [few] * (photographs < ENOUGH_PHOTOGRAPHS) + [untraced] * (not bundle.network.traced)
    return Diagnosis(
        model=bundle.label,
        weights=bundle.weights,
        trained=bundle.trained,
        image_set=images.name,
        photographs=photographs,
        crops=sum(stop - start for start, stop in index.crop_ranges),
        layers=index.layers,
        findings=findings,
        first_layer=first,
        shift=curves,
        input=checked,
        notes=(*notes, *_channel_notes(bundle), *refused),
        skipped=without_repeats([*index.skipped, *curves.skipped, *checked.skipped]),
    )
