"""`freeze` writes what each unit of a model looks for to a file, against which `check` compares a later model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from deconvwidgets import __version__
from deconvwidgets.arguments import flag, integer
from deconvwidgets.compute.job import JobContext, as_job
from deconvwidgets.errors import ComparisonError
from deconvwidgets.images.image_set import ImageSet, digest_of, require_images
from deconvwidgets.index.activation_index import ActivationIndex, layers_to_index
from deconvwidgets.index.identity import transform_digest
from deconvwidgets.instruments.comparison.compute.descriptors import (
    InputCache,
    Place,
    counted,
    describe_units,
    picture,
    usable_rule,
)
from deconvwidgets.instruments.comparison.compute.frozen_file import target_file, write_frozen
from deconvwidgets.instruments.comparison.frozen_records import (
    DESCRIPTOR_SIDE,
    FrozenLayer,
    FrozenUnits,
    TopPlaces,
    UnitStatistics,
)
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.devices import on_device
from deconvwidgets.records.layers import LayerInfo

MAX_K, MAX_SAMPLES, MAX_PROJECTIONS = 100, 1 << 16, 9


def freeze(
    bundle: ModelBundle,
    images: ImageSet,
    path: str | os.PathLike[str],
    layers: Sequence[str] | None = None,
    *,
    k: int = 9,
    samples: int = 512,
    projections: int = 3,
    seed: int = 0,
    overwrite: bool = False,
    device: str = "auto",
    progress: bool = True,
    job: JobContext | None = None,
) -> FrozenUnits:
    """Write what each unit of a model looks for to a file, for unit regression tests with `check`.

    The file has, of each unit, the strongest activations with their photographs and positions, statistics, the activations in a sample of
    crops, and small pictures and descriptors of its projections. Neither the model nor the images are needed to read it.

    Parameters
    ----------
    bundle : ModelBundle
        The model.
    images : ImageSet
        The photographs. A later `check` needs the same ones: by their content, so that they may be in another place.
    path : str or path
        The file to write, such as "units.json". Some 3 KB per unit: 3.4 MB for AlexNet's five convolutional layers.
    layers : str or sequence of str, optional
        Names or aliases; by default the convN feature maps.
    k : int
        The number of strongest activations of each unit, from 1 to 100, each from another photograph.
    samples : int
        The number of crops in which the activations of all units are kept, from 2 to 65,536; by them units are matched. They take one byte
        per unit and crop, and are off by at most 1/510 of the unit's range.
    projections : int
        The number of strongest activations of each unit that are projected, from 0 to 9. They take most of the time.
    seed : int
        The seed of the choice of samples.
    overwrite : bool
        Whether to replace a file at `path`.
    device : str
        "auto", "cpu", "cuda:1", ...
    progress : bool
        Show progress bars.
    job : JobContext, optional
        Progress, cancellation and the device lease.

    Returns
    -------
    FrozenUnits
        What was written.

    Raises
    ------
    ComparisonError
        If the file exists or cannot be written, if there is only one different crop, and for an invalid number or flag.
    LayerError
        For an unknown layer.
    ModelError
        If a feature map contains NaN or infinity.
    PictureError
        If `images` is no image set.
    JobCancelledError
        If the job is cancelled.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> images = dw.open_images("photos", limit=2)
    >>> dw.freeze(dw.load_model("alexnet"), images, "units.json", layers=["conv1"], projections=1, progress=False)
    <FrozenUnits of alexnet on default photographs (2 of 28): 64 units of conv1>
    """
    images, job = require_images(images), as_job(job)
    k, seed = integer(k, "k", 1, MAX_K, ComparisonError), integer(seed, "seed", 0, error=ComparisonError)
    samples = integer(samples, "samples", 2, MAX_SAMPLES, ComparisonError)
    count = integer(projections, "projections", 0, MAX_PROJECTIONS, ComparisonError)
    progress = flag(progress, "progress", ComparisonError)
    target = target_file(path, flag(overwrite, "overwrite", ComparisonError))
    bundle = on_device(bundle, device)
    infos = layers_to_index(bundle, layers)
    names = [info.name for info in infos]
    index = ActivationIndex.build(
        bundle, images, names, k=k, negative=False, samples=samples, seed=seed, device=device, progress=progress, job=job
    )
    if len(index.sample) < 2:
        raise ComparisonError(
            f"{images.name} has only {len(index.sample)} different crop: units are told apart by their activations in several, so give "
            "more images."
        )
    frozen = frozen_units(bundle, images, index, count)
    frozen = _with_projections(frozen, bundle, images, index, progress, job)
    write_frozen(frozen, target)
    return frozen


def frozen_units(bundle: ModelBundle, images: ImageSet, index: ActivationIndex, projections: int) -> FrozenUnits:
    """Return what an index has of its units, without projections."""
    options = index.identity.options
    return FrozenUnits(
        package=__version__,
        model=bundle.label,
        weights=bundle.weights,
        trained=bundle.trained,
        input_size=bundle.input_size,
        transform=transform_digest(bundle),
        channels=tuple(bundle.channels_to_display),
        image_set=images.name,
        crops=crops_digest(images, index.contents),
        names=tuple(images.source_name(source) for source in range(images.source_count)),
        contents=index.contents,
        sample_sources=index.sample.sources,
        sample_numbers=index.sample.numbers,
        k=options.k,
        samples=options.samples,
        seed=options.seed,
        projections=projections,
        layers=tuple(_frozen_layer(bundle, images, index, info) for info in index.layers),
    )


def crops_digest(images: ImageSet, contents: NDArray[np.uint64]) -> str:
    """Return the digest of the boxes of all crops by the content of their photographs, whatever their order and the names of the files."""
    lines = []
    for source, content in enumerate(contents.tolist()):
        if content:
            lines.append(f"{content:016x} {[images.crop(crop).box for crop in images.crops_of(source)]}")
    return digest_of(sorted(set(lines)))


def numbers_of(images: ImageSet, crops: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers of crops in their photographs; -1 for missing ones."""
    unique, inverse = np.unique(crops, return_inverse=True)
    numbers = np.array([images.crop(crop).number if crop >= 0 else -1 for crop in unique.tolist()], np.int64)
    return numbers[inverse].reshape(crops.shape)


def _frozen_layer(bundle: ModelBundle, images: ImageSet, index: ActivationIndex, info: LayerInfo) -> FrozenLayer:
    tally, stats = index.tallies[info.name], index.stats(info.name)
    ranking = tally.ranking
    missing = ranking.crops < 0
    places = {name: np.where(missing, -1, getattr(ranking, name)).astype(np.int64) for name in ("sources", "rows", "columns")}
    span = tally.sample.values.max(axis=0) - tally.sample.values.min(axis=0) if len(index.sample) else np.zeros(info.channels, np.float32)
    return FrozenLayer(
        info=info,
        digest=bundle.network.digest(info.name),
        values=tally.sample.values.copy(),
        max_error=(span / 510).astype(np.float32),
        top=TopPlaces(
            **places, numbers=numbers_of(images, ranking.crops), values=np.where(missing, np.nan, ranking.values).astype(np.float32)
        ),
        statistics=UnitStatistics(stats.maximum, stats.mean, stats.std, stats.activation_rate),
        rule=None,
        descriptors=np.zeros((info.channels, 0, len(bundle.channels_to_display), DESCRIPTOR_SIDE, DESCRIPTOR_SIDE), np.int8),
        pictures=(),
    )


def _with_projections(
    frozen: FrozenUnits, bundle: ModelBundle, images: ImageSet, index: ActivationIndex, show: bool, job: JobContext
) -> FrozenUnits:
    inputs, count = InputCache(bundle, images), frozen.projections
    places = [_places(index, layer, count) for layer in frozen.layers]
    total = sum(len(those) for layer in places for those in layer)
    layers = []
    with job.progress_bar("Projections", "projection", total, show and total > 0) as reporting:
        done = counted(reporting, "Projections", total)
        for layer, those in zip(frozen.layers, places, strict=True):
            rule = next((usable_rule(inputs, layer.info, unit[0]) for unit in those if unit), None)
            if rule is None:
                layers.append(layer)
                continue
            found = describe_units(inputs, layer.info, layer.info, rule, those, count, reporting, done)
            layers.append(replace(layer, rule=rule, descriptors=found.descriptors, pictures=tuple(map(picture, found.tiles))))
    return replace(frozen, layers=tuple(layers))


def _places(index: ActivationIndex, layer: FrozenLayer, count: int) -> list[list[Place]]:
    """Return the places of each unit's first strongest activations."""
    crops, top = index.image_ids(layer.info.name), layer.top
    return [
        [
            Place(unit, int(crops[unit, rank]), int(top.rows[unit, rank]), int(top.columns[unit, rank]))
            for rank in range(min(count, index.k))
            if crops[unit, rank] >= 0
        ]
        for unit in range(layer.info.channels)
    ]
