"""Checks of a run's settings, before anything is computed."""

from __future__ import annotations

from typing import get_args

from deconvwidgets.engine import Network
from deconvwidgets.errors import HeadError
from deconvwidgets.images.empty_classes import left_out_note
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.images.labels import class_names, class_notes, class_sizes, require_classes
from deconvwidgets.instruments.transfer.compute.feature_crops import CropMaker, Crops
from deconvwidgets.instruments.transfer.compute.features import FeatureShape, default_layer
from deconvwidgets.instruments.transfer.compute.folds import check_weight_decays
from deconvwidgets.instruments.transfer.compute.muted_units import muted_units
from deconvwidgets.instruments.transfer.records import TransferDataSummary, TransferSettings
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.layers import LayerInfo

MAX_FOLDS = 100
_MAX_IMAGES = 100_000
_MAX_SEED = (1 << 32) - 1


def check_numbers(settings: TransferSettings) -> None:
    """Raise HeadError for numbers that no run can have."""
    _check_int("images per class", settings.images_per_class, 1, _MAX_IMAGES)
    _check_int("folds", settings.folds, 1, MAX_FOLDS)
    _check_int("the seed", settings.seed, 0, _MAX_SEED)
    for number in settings.curve:
        _check_int("images per class of the learning curve", number, 1, _MAX_IMAGES)
    if settings.weight_decay is not None:
        if isinstance(settings.weight_decay, bool) or not isinstance(settings.weight_decay, int | float):
            raise HeadError(f"The weight decay is a number such as 0.001, or None to choose it, not {settings.weight_decay!r}.")
        check_weight_decays(float(settings.weight_decay))
    if settings.views not in get_args(Crops):
        raise HeadError(f"There are no crops {settings.views!r}: choose {', '.join(map(repr, get_args(Crops)))}.")


def _check_int(name: str, number: object, low: int, high: int) -> None:
    if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
        raise HeadError(f"{number!r} is not a valid number for {name}: give an integer from {low:,} to {high:,}.")


def check_run(settings: TransferSettings, images: ImageSet, bundle: ModelBundle, network: Network) -> LayerInfo:
    """Return the layer of a run. Raises HeadError, LayerError or ModelError for settings that cannot be used."""
    check_numbers(settings)
    info = layer_of(settings, network)
    CropMaker.of(bundle, settings.views)
    require_classes(images, largest_number(settings))
    if settings.muted:
        muted_units(network, info, settings.muted, bundle.name)
    return info


def layer_of(settings: TransferSettings, network: Network) -> LayerInfo:
    """Return the layer of a run: by default the deepest with feature maps. Raises LayerError for an unknown one."""
    return default_layer(network) if settings.layer is None else network.layer(settings.layer)


def largest_number(settings: TransferSettings) -> int:
    """Return the largest number of training images per class that a run uses, its learning curve included."""
    return max(settings.images_per_class, *settings.curve, 0)


def data_summary(settings: TransferSettings, images: ImageSet) -> TransferDataSummary:
    """Return the classes of an image set, and why it cannot be trained on, if so."""
    problem: str | None = None
    names: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    try:
        sizes, names = class_sizes(images), class_names(images)
        notes = (*filter(None, [left_out_note(images)]), *class_notes(images))
        check_numbers(settings)
        require_classes(images, largest_number(settings))
    except HeadError as error:
        problem = str(error)
    most = max(0, min(sizes, default=0) - 1)
    return TransferDataSummary(images.name, images.source_count, names, sizes, most, problem, notes, images.skipped)


def layer_choices(network: Network) -> tuple[tuple[str, str], ...]:
    """Return (name, description) of the layers that a head can be put on, the deepest first.

    They are those with an alias, those that the explorers show, and the default one.
    """
    last, always = network.layers[-1].name, {default_layer(network).name, *(info.name for info in network.feature_map_layers)}
    listed = [info for info in network.layers if info.name in always or (info.alias and not (info.kind == "fc" and info.name == last))]
    return tuple((info.short_name, _description(info)) for info in reversed(listed))


def _description(info: LayerInfo) -> str:
    shape, name = FeatureShape.of(info), info.short_name
    if shape.grid == (1, 1) and shape.pool is None:
        return f"{name} · {shape.count:,}"
    pooled = f", average-pooled from {shape.height} x {shape.width}" if shape.pool is not None else ""
    return f"{name} · {shape.channels} x {shape.grid[0]} x {shape.grid[1]} = {shape.count:,}{pooled}"
