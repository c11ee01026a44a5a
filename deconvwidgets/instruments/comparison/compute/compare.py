"""`compare` and `compare_indexes` compare two models unit by unit, over the same images.

Sources: Li et al. 2016, "Convergent learning: do different neural networks learn the same representations?" (one-to-one matching of units
by the correlation of their activations); Kornblith et al. 2019, "Similarity of neural network representations revisited" (linear CKA).
"""

from __future__ import annotations

from collections.abc import Sequence

from deconvwidgets.arguments import flag, instance, integer
from deconvwidgets.compute.job import JobContext, as_job
from deconvwidgets.errors import ComparisonError, ModelError
from deconvwidgets.images.image_set import ImageSet, require_images
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.index.cached_build import SIMILARITY_OPTIONS, cached_index
from deconvwidgets.index.options import MAX_SAMPLES, IndexOptions
from deconvwidgets.index.similarity import aligned_rows
from deconvwidgets.instruments.comparison.compute.compared_layers import compared_layer, different_photographs, similarity_of_layers
from deconvwidgets.instruments.comparison.compute.notes import notes_of
from deconvwidgets.instruments.comparison.compute.pairing import Layers, Pairs, chosen_layers, find_layers, pair_layers
from deconvwidgets.instruments.comparison.records import Comparison, Thresholds
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.devices import on_device
from deconvwidgets.records.layers import LayerInfo

MIN_CROPS = 8  # fewer say nothing about a correlation


def compare(
    bundle_a: ModelBundle,
    bundle_b: ModelBundle,
    images: ImageSet,
    layers: Layers = None,
    *,
    samples: int = SIMILARITY_OPTIONS.samples,
    thresholds: Thresholds | None = None,
    device: str = "auto",
    progress: bool = True,
    job: JobContext | None = None,
) -> Comparison:
    """Compare two models unit by unit, over the same images: which units are kept, moved, changed, split, merged, died, lost and new.

    The activation of a unit in an image is the maximum of its feature map, after the model's own transform: the input sizes may differ.
    The units of two layers are matched one to one so that the sum of the correlations of their activations is largest (`scipy.optimize.
    linear_sum_assignment`; negative correlations count as 0, and of equally good partners a unit takes the one with its own number). So a
    unit that is only scaled by a positive factor, or shifted, is the same.

    Every unit of a has exactly one status, the first of these that fits:

    - "dead": 0 in every image. "constant": the same activation in all compared images.
    - "kept": it correlates with its match by at least `same`, and this has the same number. "moved": with another number.
    - "died": its match is dead or constant.
    - "merged": it correlates by at least `same` with a unit of b that is the match of another, kept or moved unit of a.
    - "changed": it correlates with its match by at least `related`, and neither of the two correlates more with another unit.
    - "lost": none of these. No unit of b corresponds to it.

    Every unit of b has exactly one status as well: "dead", "constant", "kept", "moved" and "changed" as above; before "changed", "split" if
    it correlates by at least `same` with a unit of a that is kept or moved to another unit of b; "new" if none of these. A unit of a that
    is split is kept or moved, too; no other lists have a unit in common.

    Units of unrelated networks correlate, too, because all respond to the contrast of an image: over photographs, the matched units of
    randomly initialised AlexNets by 0.7 to 0.8 (medians of layers). None of them is kept, one of a first layer moved; a quarter of a first
    layer and 3 to 9% of the others are changed, the rest lost. So look at the median correlation with the match beside that with the
    nearest other unit, which the table has; a note names layers in which it is hardly higher.

    Where few photographs are compared, both thresholds are raised to the correlation that independent units reach by chance anywhere in
    the layer with a probability of 1%. Crops of one photograph do not count as several.

    Parameters
    ----------
    bundle_a, bundle_b : ModelBundle
        The models: before and after training, pruning or quantising; two checkpoints; two seeds; two architectures.
    images : ImageSet
        The photographs that both see.
    layers : str, sequence of str, or dict of str to str, optional
        Layers that both models have, or pairs of a layer of a and a layer of b. By default the convN feature maps, paired by name if at
        least half of all names are common, and else with the layer of b that has the highest CKA, which may be one for several.
    samples : int
        Correlations and CKA are computed over all different crops of the image set, or a random sample of at most so many.
    thresholds : dw.Thresholds, optional
        By default `same` = 0.95 and `related` = 0.5.
    device : str
        "auto", "cpu", "cuda:1", ...
    progress : bool
        Show a progress bar for each model.
    job : JobContext, optional
        Progress, cancellation and the device lease.

    Returns
    -------
    Comparison
        `kept(layer)`, `moved(layer)`, ..., `matches(layer)`, `changed_most()`, `cka`, `to_dataframe()`, and a table when it is shown.

    Raises
    ------
    ComparisonError
        For fewer than 8 different images, a layer that one model does not have, and thresholds that are not valid.
    ActivationIndexError, ModelError, JobCancelledError
        As `ActivationIndex.build`, which runs each model once. Its indexes are kept in the cache: the next comparison reads them.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> images = dw.open_images("photos", limit=12)
    >>> bundle = dw.load_model("alexnet")
    >>> comparison = dw.compare(bundle, bundle.with_units({("conv2", 3): 0.0}), images, ["conv1", "conv2"], progress=False)
    >>> comparison.died("conv2")
    (3,)
    >>> len(comparison.kept("conv1"))
    64
    """
    require_images(images)
    for name, bundle in (("bundle_a", bundle_a), ("bundle_b", bundle_b)):
        instance(bundle, ModelBundle, name, ModelError)
    samples = integer(samples, "samples", MIN_CROPS, MAX_SAMPLES, ComparisonError)
    options = IndexOptions.of(SIMILARITY_OPTIONS, samples=samples)
    progress, job, chosen = flag(progress, "progress", ComparisonError), as_job(job), chosen_layers(layers)
    checked_thresholds(thresholds)
    bundles = [on_device(bundle, device) for bundle in (bundle_a, bundle_b)]
    indexes = [
        cached_index(bundle, images, _names(bundle, names), options, device=device, progress=progress, job=job)
        for bundle, names in zip(bundles, (chosen.a, chosen.b), strict=True)
    ]
    return compare_indexes(indexes[0], indexes[1], layers, thresholds=thresholds)


def compare_indexes(
    index_a: ActivationIndex, index_b: ActivationIndex, layers: Layers = None, *, thresholds: Thresholds | None = None
) -> Comparison:
    """Compare two models by their activation indexes of the same image set, without running them; see `compare`.

    Parameters
    ----------
    index_a, index_b : ActivationIndex
        With samples (at least 8), and the same seed.
    layers : str, sequence of str, or dict of str to str, optional
        By default all layers of both.
    thresholds : Thresholds, optional

    Raises
    ------
    ComparisonError
        For fewer than 8 common crops, an unknown layer, and thresholds that are not valid.
    ActivationIndexError
        If the indexes are of different image sets (by digest), or without common samples.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> images = dw.open_images("photos", limit=12)
    >>> index = dw.ActivationIndex.build(dw.load_model("alexnet"), images, layers=["conv1"], progress=False)
    >>> comparison = dw.compare_indexes(index, index)
    >>> len(comparison.kept("conv1")), float(comparison.cka[0, 0])
    (64, 1.0)
    """
    for name, index in (("index_a", index_a), ("index_b", index_b)):
        instance(index, ActivationIndex, name, ComparisonError)
    chosen, thresholds = chosen_layers(layers), checked_thresholds(thresholds)
    rows = aligned_rows(index_a, index_b)
    if len(rows[0]) < MIN_CROPS:
        raise ComparisonError(
            f"The indexes have {len(rows[0])} different crops in common, too few for correlations: compare over at least {MIN_CROPS}."
        )
    infos_a, infos_b = (_infos(index, names) for index, names in ((index_a, chosen.a), (index_b, chosen.b)))
    cka = similarity_of_layers(index_a, infos_a, index_b, infos_b, rows)
    pairs: Pairs = [(k, k, "given") for k in range(len(infos_a))] if chosen.given else pair_layers(infos_a, infos_b, cka)
    compared = tuple(
        compared_layer((index_a, infos_a[row]), (index_b, infos_b[column]), rows, why, float(cka[row, column]), thresholds)
        for row, column, why in pairs
    )
    paired = {column for _, column, _ in pairs}
    left_out = [] if chosen.given else [info for column, info in enumerate(infos_b) if column not in paired]
    first, second, photographs = index_a.identity, index_b.identity, different_photographs(index_a, rows[0])
    return Comparison(
        name_a=first.model,
        name_b=second.model,
        image_set=first.image_set,
        images=first.images,
        crops=len(rows[0]),
        photographs=photographs,
        total=min(index_a.crops, index_b.crops),
        thresholds=thresholds,
        layers=compared,
        layers_a=tuple(infos_a),
        layers_b=tuple(infos_b),
        cka=cka,
        notes=notes_of(index_a, index_b, (len(rows[0]), photographs), thresholds, compared, left_out),
    )


def checked_thresholds(thresholds: object) -> Thresholds:
    """Return thresholds, by default the usual ones. Raises ComparisonError for anything else."""
    return Thresholds() if thresholds is None else instance(thresholds, Thresholds, "thresholds", ComparisonError)


def _names(bundle: ModelBundle, names: Sequence[str] | None) -> list[str] | None:
    return None if names is None else [info.name for info in find_layers(bundle.network.layer, names, bundle.name)]


def _infos(index: ActivationIndex, names: Sequence[str] | None) -> list[LayerInfo]:
    return list(index.layers) if names is None else find_layers(index.layer, names, index.identity.model)
