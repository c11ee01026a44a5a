"""`check` compares a model with frozen units."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from deconvwidgets import __version__
from deconvwidgets.arguments import flag, integer
from deconvwidgets.compute.job import JobContext, as_job
from deconvwidgets.errors import ComparisonError, RuleError
from deconvwidgets.images.image_set import ImageSet, require_images
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.index.identity import transform_digest
from deconvwidgets.instruments.comparison.check_limits import CheckLimits, LimitLike
from deconvwidgets.instruments.comparison.check_records import LayerCheck, UnitCheck
from deconvwidgets.instruments.comparison.compute.change_figures import with_figures
from deconvwidgets.instruments.comparison.compute.checked import Checked
from deconvwidgets.instruments.comparison.compute.descriptors import InputCache, Place, counted, describe_units, likeness
from deconvwidgets.instruments.comparison.compute.frozen_file import read_frozen
from deconvwidgets.instruments.comparison.compute.frozen_layers import layer_pairs
from deconvwidgets.instruments.comparison.compute.matching import chance_correlation
from deconvwidgets.instruments.comparison.compute.packed_arrays import quantised, restored
from deconvwidgets.instruments.comparison.compute.same_images import check_size, matched_photographs
from deconvwidgets.instruments.comparison.compute.unit_changes import Floats, MatchedUnits, match_layer, overlaps, revise
from deconvwidgets.instruments.comparison.frozen_records import FrozenLayer, FrozenUnits, UnitStatistics
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.devices import on_device
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.records.unit_relations import RELATED_UNIT, SAME_UNIT

MAX_FIGURES = 1000


def check(
    frozen: str | os.PathLike[str],
    bundle: ModelBundle,
    images: ImageSet,
    layers: Sequence[str] | None = None,
    *,
    max_died: LimitLike = 0,
    max_changed: LimitLike = "5%",
    max_moved: LimitLike = None,
    max_split: LimitLike = None,
    min_correlation: float = SAME_UNIT,
    min_overlap: float = 0.3,
    min_likeness: float = 0.7,
    max_scale: float = 4.0,
    figures: int = 0,
    device: str = "auto",
    progress: bool = True,
    job: JobContext | None = None,
) -> UnitCheck:
    """Check a model against frozen units: what died, split, moved, or looks for something else.

    The new model is run once over the images. Its units are matched one to one with the frozen ones by the correlation of their
    activations over the same crops, so that permuted channels are found again. A unit has one of these statuses:

    - kept: the correlation is at least `min_correlation`, by default that of `dw.compare`; moved: so, under another number;
    - changed: the match is less like it; or the strongest photographs, the projections at the same places or the mean activation are
      others by `min_overlap`, `min_likeness` or `max_scale`;
    - merged: it is the same as a unit that another one is matched to; lost: it correlates with its match by less than 0.5, or one
      of the two correlates more with another unit; died: its unit is silent; dead or constant: it was so before, and is not judged.

    A unit is split if a further unit of the new model, which is the match of no other, is the same as it.

    Parameters
    ----------
    frozen : str or path
        The file that `freeze` wrote.
    bundle : ModelBundle
        The new model: retrained, pruned, quantised, exported, ... Its input size must be the same.
    images : ImageSet
        The images that the units were frozen with. The files may be elsewhere and have other names; their content is compared.
    layers : str or sequence of str, optional
        Names or aliases of frozen layers; by default all.
    max_died, max_changed, max_moved, max_split : int, str or None
        How many units may be so: a number, a percentage such as "5%" of the units of all checked layers that were active, or None for any
        number. "changed" counts those that are changed, merged or lost.
    min_correlation, min_overlap, min_likeness : float
        See the statuses; from 0 to 1. `min_overlap` is the share of the strongest photographs that are among the strongest again,
        `min_likeness` the mean correlation of the small projections.
    max_scale : float
        The factor by which the mean activation may grow or shrink, at least 1; of units whose mean is not above 0, the deviation.
    figures : int
        Of how many units, those that changed most, pictures before and after are made.
    device : str
        "auto", "cpu", "cuda:1", ...
    progress : bool
        Show progress bars.
    job : JobContext, optional
        Progress, cancellation and the device lease.

    Returns
    -------
    UnitCheck
        `passed` says whether no limit is exceeded. `check_file` writes it as HTML, JSON, CSV or JUnit XML.

    Raises
    ------
    ComparisonError
        If the file is damaged or something else, if the images are others, if the model lacks a layer or has another input size, if no
        unit can be judged, and for an invalid limit.
    ModelError
        If a feature map contains NaN or infinity.
    PictureError
        If `images` is no image set.
    JobCancelledError
        If the job is cancelled.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> bundle, images = dw.load_model("alexnet"), dw.open_images("photos", limit=2)
    >>> frozen = dw.freeze(bundle, images, "units.json", layers=["conv1"], projections=1, progress=False)
    >>> dw.check("units.json", bundle, images, progress=False)
    <UnitCheck of alexnet against alexnet: passed; no unit changed>
    >>> off = bundle.with_units({("conv1", 5): 0.0})
    >>> dw.check("units.json", off, images, progress=False).layer("conv1").units("died")
    (5,)
    """
    images, job = require_images(images), as_job(job)
    progress, figures = flag(progress, "progress", ComparisonError), integer(figures, "figures", 0, MAX_FIGURES, ComparisonError)
    limits = CheckLimits.checked(
        died=max_died, changed=max_changed, moved=max_moved, split=max_split,
        correlation=min_correlation, overlap=min_overlap, likeness=min_likeness, scale=max_scale,
    )  # fmt: skip
    kept = read_frozen(frozen)
    bundle = on_device(bundle, device)
    pairs = layer_pairs(kept, bundle, layers)
    check_size(kept, images)
    index = ActivationIndex.build(
        bundle, images, [info.name for _, info in pairs], k=kept.k, negative=False, samples=kept.samples, seed=kept.seed,
        device=device, progress=progress, job=job,
    )  # fmt: skip
    photographs = matched_photographs(kept, images, index.contents)
    checked = Checked(kept, bundle, images, index, photographs, pairs, limits, InputCache(bundle, images))
    result = _judged(_result(checked, _checked_layers(checked, progress, job)))
    return with_figures(checked, result, figures, progress, job)


def _checked_layers(checked: Checked, show: bool, job: JobContext) -> tuple[LayerCheck, ...]:
    rows = _sample_rows(checked.frozen, checked.index)
    matched = [_matched(checked, layer, info, rows) for layer, info in checked.pairs]
    places = [_places(checked, layer, found.matching.match_a) for (layer, _), found in zip(checked.pairs, matched, strict=True)]
    total = sum(len(those) for layer in places for those in layer)
    with job.progress_bar("Projections", "projection", total, show and total > 0) as reporting:
        done = counted(reporting, "Projections", total)
        return tuple(
            _checked_layer(checked, layer, info, found, _likeness(checked, layer, info, those, reporting, done))
            for (layer, info), found, those in zip(checked.pairs, matched, places, strict=True)
        )


def _sample_rows(frozen: FrozenUnits, index: ActivationIndex) -> NDArray[np.int64]:
    """Return the rows of the index's sample that have the frozen crops, in their order."""
    sample = index.sample
    rows = {key: row for row, key in enumerate(zip(sample.contents.tolist(), sample.numbers.tolist(), strict=True))}
    keys = zip(frozen.contents[frozen.sample_sources].tolist(), frozen.sample_numbers.tolist(), strict=True)
    try:
        return np.array([rows[key] for key in keys], np.int64)
    except KeyError as error:
        raise ComparisonError("The file samples other crops than its options say. Write it again with deconvwidgets freeze.") from error


def _matched(checked: Checked, layer: FrozenLayer, info: LayerInfo, rows: NDArray[np.int64]) -> MatchedUnits:
    # As the frozen values are: those of the same units are equal then.
    after = restored(*quantised(checked.index.tallies[info.name].sample.values[rows]))
    dead = checked.index.stats(info.name).dead
    return match_layer(layer.values, after, layer.statistics.dead, dead, checked.limits.correlation)


def _places(checked: Checked, layer: FrozenLayer, match: NDArray[np.int64]) -> list[list[Place]]:
    """Return, of each unit's match, the places of the frozen projections."""
    count, top = (layer.descriptors.shape[1] if layer.rule else 0), layer.top
    crops = checked.photographs.crops(checked.images, top.sources[:, :count], top.numbers[:, :count])
    return [
        [
            Place(other, int(crops[unit, rank]), int(top.rows[unit, rank]), int(top.columns[unit, rank]))
            for rank in range(crops.shape[1])
            if other >= 0 and crops[unit, rank] >= 0
        ]
        for unit, other in enumerate(match.tolist())
    ]


def _likeness(
    checked: Checked, layer: FrozenLayer, info: LayerInfo, places: list[list[Place]], job: JobContext, done: Callable[[], None]
) -> Floats:
    if layer.rule is None or not layer.descriptors.shape[1]:
        return np.full(layer.info.channels, np.nan)
    count = layer.descriptors.shape[1]
    try:
        found = describe_units(checked.inputs, info, layer.info, layer.rule, places, count, job, done).descriptors
    except RuleError:  # the new model has an operation that the frozen one did not have
        return np.full(layer.info.channels, np.nan)
    return np.array([likeness(*pair) if those else np.nan for *pair, those in zip(layer.descriptors, found, places, strict=True)])


def _checked_layer(checked: Checked, layer: FrozenLayer, info: LayerInfo, matched: MatchedUnits, alike: Floats) -> LayerCheck:
    stats, matching = checked.index.stats(info.name), matched.matching
    after = UnitStatistics(stats.maximum, stats.mean, stats.std, stats.activation_rate)
    overlap = overlaps(*_photographs(checked, layer, info), matching.match_a)
    status, reasons = revise(matching.status_a, matched, overlap, alike, layer.statistics, after, checked.limits)
    copies: dict[int, list[int]] = {}
    for unit in np.flatnonzero(matching.status_b == "split").tolist():
        copies.setdefault(int(matching.copy_of_b[unit]), []).append(unit)
    return LayerCheck(
        info=layer.info,
        info_new=info,
        same_weights=layer.digest == checked.bundle.network.digest(info.name),
        status=status,
        reasons=reasons,
        match=matching.match_a,
        correlation=matched.correlation,
        overlap=overlap,
        likeness=alike,
        before=layer.statistics,
        after=after,
        copies=tuple((unit, tuple(copies[unit])) for unit in sorted(copies)),
        new=tuple(np.flatnonzero(matching.status_b == "new").tolist()),
    )


def _photographs(checked: Checked, layer: FrozenLayer, info: LayerInfo) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the strongest photographs (units, k) before and after, as numbers that are equal for equal content; -1 for missing ones."""
    contents = checked.index.contents
    _, same = np.unique(contents, return_inverse=True)
    crops = checked.index.image_ids(info.name)
    sources = np.array([checked.images.crop(crop).source if crop >= 0 else -1 for crop in crops.ravel().tolist()], np.int64)
    after = np.where(sources >= 0, same[sources], -1).reshape(crops.shape)
    frozen = np.where(layer.top.sources >= 0, checked.photographs.sources[layer.top.sources], -1)
    return np.where(frozen >= 0, same[frozen], -1), after


def _result(checked: Checked, layers: tuple[LayerCheck, ...]) -> UnitCheck:
    frozen, bundle = checked.frozen, checked.bundle
    return UnitCheck(
        frozen_model=frozen.model,
        frozen_weights=frozen.weights,
        model=bundle.label,
        weights=bundle.weights,
        frozen_trained=frozen.trained,
        trained=bundle.trained,
        image_set=checked.images.name,
        crops=len(frozen.sample_sources),
        limits=checked.limits,
        layers=layers,
        notes=tuple(_notes(checked, layers)),
    )


def _judged(result: UnitCheck) -> UnitCheck:
    """Return a result. Raises ComparisonError if no unit is judged: any model would pass."""
    if not result.units:
        raise ComparisonError(
            f"None of the frozen units can be judged: each has only one activation in the {result.crops:,} sampled crops. Freeze again "
            "with more images that differ."
        )
    return result


def _notes(checked: Checked, layers: tuple[LayerCheck, ...]) -> Iterator[str]:
    frozen, bundle = checked.frozen, checked.bundle
    if transform_digest(bundle) != frozen.transform:
        yield "The new model prepares images in another way than the frozen one: part of what changed may be due to that."
    if frozen.package != __version__:
        yield f"The units were frozen by deconvwidgets {frozen.package}; this is {__version__}."
    yield from _notes_of_few(checked, layers)
    for (layer, info), result in zip(checked.pairs, layers, strict=True):
        if info.channels != layer.info.channels:
            yield f"{layer.info.short_name} has {info.channels:,} units instead of {layer.info.channels:,}."
        if layer.rule is None:
            yield f"{layer.info.short_name} is checked without projections: none were frozen."
        elif np.isnan(result.likeness).all():
            yield f"{layer.info.short_name} is checked without projections: the new model has none by the rule {layer.rule}."
        constant = len(result.units("constant"))
        if constant:
            yield f"{layer.info.short_name} has {constant:,} units that are the same in all sampled crops: they are not judged."
    if bundle.network.reason is not None:
        yield f"The new model cannot be traced ({bundle.network.reason}): it is run whole."


def _notes_of_few(checked: Checked, layers: tuple[LayerCheck, ...]) -> Iterator[str]:
    """Iterate over what a check of few photographs cannot find out. Crops of one photograph do not count as several."""
    frozen, limits = checked.frozen, checked.limits
    sampled = len(np.unique(frozen.contents[frozen.sample_sources]))
    every = len(np.unique(frozen.contents[frozen.contents > 0]))
    chance = max(chance_correlation(sampled, layer.info.channels * info.channels) for layer, info in checked.pairs)
    unrelated = any(one.units("changed") or one.units("lost") for one in layers)
    if chance >= (min(RELATED_UNIT, limits.correlation) if unrelated else limits.correlation):
        yield (
            f"Correlations say little over only {sampled:,} photographs: units that have nothing in common reach {chance:.2f} by chance. "
            "Freeze with more."
        )
    if every <= frozen.k:
        yield f"The strongest photographs say nothing: {frozen.k} are kept of each unit, and there are only {every:,}."
