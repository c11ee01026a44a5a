"""Invariance curves: how far features move as photographs are transformed (Zeiler & Fergus 2014, section 4.1 and figure 5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from deconvwidgets.arguments import as_integer, describe, flag, integer
from deconvwidgets.compute.inputs import ImageInputs, as_pil_image, as_sequence
from deconvwidgets.compute.job import JobContext, as_job
from deconvwidgets.engine.trace_check import RANDOM
from deconvwidgets.errors import InvarianceError, PictureError
from deconvwidgets.images.image_set import ImageSet, label_name
from deconvwidgets.instruments.invariance.compute.curves import CANCELLED, photograph_curves
from deconvwidgets.instruments.invariance.compute.features import FeaturePass
from deconvwidgets.instruments.invariance.compute.layers import checked_layers
from deconvwidgets.instruments.invariance.compute.transformed import TransformedPhotograph, describe_fill, geometry_note
from deconvwidgets.instruments.invariance.records import InvarianceCurves, PhotographCurves
from deconvwidgets.instruments.invariance.transforms import Transform, TransformKind, checked_amounts, kind_of
from deconvwidgets.models.bundle import ModelBundle, require_bundle
from deconvwidgets.records.images import SkippedImage
from deconvwidgets.records.progress import Progress

JOB = "invariance"
PREDICTED = (
    "The class is the one that the model predicts for the photograph as it is, because it has no label that names a class of the model"
)
_NOISE = (
    "The model draws random numbers, so that its values of the same photograph differ: the distances and probabilities have this noise in "
    "them. Use dropout modules, which model.eval() switches off, or F.dropout(..., training=self.training)."
)


def invariance(
    bundle: ModelBundle,
    images: ImageSet | ImageInputs,
    transform: Transform = "translate",
    amounts: Iterable[float] | None = None,
    *,
    layers: str | Sequence[str] | None = None,
    photographs: int | Sequence[int] = 5,
    progress: bool = True,
    job: JobContext | None = None,
) -> InvarianceCurves:
    """Transform photographs, and measure how far their features and the probability of their class change.

    Source: Zeiler & Fergus 2014, section 4.1 and figure 5 (vertical translation, scale and rotation; layers 1 and 7). The horizontal
    translation, blur, brightness, noise and JPEG compression, distances relative to the norm, and any layers are extensions.

    Photographs are resized as by the model's transform, then transformed about their centre, and then cropped: the content beside the crop
    moves in. Where there is none, the mean colour that the transform subtracts is shown.

    Parameters
    ----------
    bundle : ModelBundle
    images : ImageSet, PIL image, path, array, or a sequence of these
        Each photograph of an image set is represented by its first crop.
    transform : str
        - "translate", "translate_x": down and to the right, in whole pixels of the model's input.
        - "scale": a factor, about the centre.
        - "rotate": degrees counterclockwise, about the centre, with bilinear interpolation.
        - "blur": the standard deviation of a Gaussian, in pixels of the model's input; pixels at the edge are repeated beyond it.
        - "brightness": a factor of the 8-bit values, which are clipped at 255.
        - "noise": the standard deviation of Gaussian noise, in 8-bit values, clipped to 0 to 255; the same noise for every amount.
        - "jpeg": the quality of a JPEG file, from 1 to 100.
    amounts : sequence of float, optional
        By default those of figure 5: translations of -60 to 60 pixels (of an input of 224; less for smaller ones), scales of 1 to 1.8,
        rotations of 0 to 345 degrees; about 20 amounts each.
    layers : str or sequence of str, optional
        Names or aliases. By default the first and the deepest feature map, and the last fully connected layer below the outputs.
    photographs : int or sequence of int
        How many photographs of an image set, spread evenly over it, or their numbers. Of other images all are used.
    progress : bool
        Show a progress bar.
    job : JobContext, optional
        Progress, cancellation and the device lease.

    Returns
    -------
    InvarianceCurves
        `distances` and `relative` (photographs, layers, amounts), `scores` (photographs, amounts), `save(path)` and `to_dataframe()`. The
        score is the probability of the photograph's label, or of the class that the model predicts for it as it is, if it has no label
        that names one of the model's classes: each photograph says which. Of a regression it is the value of the first output.

    Raises
    ------
    InvarianceError
        For an unknown transformation, or an amount or number of photographs out of range.
    LayerError
        For an unknown layer.
    PictureError
        If no photograph can be read, or if a tensor is given: it cannot be transformed before the crop.
    ModelError
        If an output or a layer is not finite.
    JobCancelledError
        If the job is cancelled.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> curves = dw.invariance(dw.load_model("alexnet"), dw.open_images("photos"), "rotate", [0, 45, 90], photographs=2, progress=False)
    >>> curves.layers, curves.distances.shape
    (('conv1', 'conv5'), (2, 2, 3))
    >>> bool((curves.layer("conv1")[:, 0] == 0).all())  # a rotation by 0 degrees changes nothing
    True
    """
    require_bundle(bundle)
    kind = kind_of(transform)
    checked = checked_amounts(kind, amounts, min(bundle.input_size[1:]))
    infos = checked_layers(bundle.network, layers)
    chosen = _Photographs.of(images, photographs)
    show, context = flag(progress, "progress", InvarianceError), as_job(job)
    total = len(chosen) * (len(checked) + 1)
    with context.progress_bar(f"Invariance: {kind.label.lower()}", " inputs", total, show) as advancing:
        found, skipped = _run(bundle, chosen, kind, checked, [info.name for info in infos], advancing, total)
    if not found:
        raise PictureError(f"None of the {len(chosen):,} photographs can be read: {skipped[0].reason}")
    return InvarianceCurves(
        model=bundle.label,
        images=chosen.title,
        transform=kind.name,
        amounts=np.array(checked),
        layers=tuple(info.short_name for info in infos),
        photographs=tuple(found),
        quantity=bundle.quantity,
        fill=describe_fill(bundle),
        notes=notes_of(bundle, kind, found),
        skipped=tuple(skipped),
    )


@dataclass(frozen=True, slots=True)
class _Photographs:
    """The photographs of an experiment: numbers of an image set, or images."""

    images: ImageSet | list[Any]
    sources: tuple[int, ...]
    title: str

    @classmethod
    def of(cls, images: ImageSet | ImageInputs, photographs: object) -> _Photographs:
        """Check the photographs. Raises InvarianceError for an invalid number, PictureError if there is no image."""
        count, numbers = as_integer(photographs), None
        if count is None:
            numbers = _numbers(photographs)
        elif count < 1:
            raise InvarianceError(f"photographs must be at least 1, or the numbers of photographs, not {describe(photographs)}.")
        if not isinstance(images, ImageSet):
            listed = list(as_sequence(images))
            if not listed:
                raise PictureError("There is no image: pass at least one.")
            return cls(listed, tuple(range(len(listed))), f"{len(listed)} image{'s' if len(listed) > 1 else ''}")
        if numbers is None:
            return cls(images, spread(images.source_count, count or 1), images.name)
        return cls(
            images, tuple(integer(one, "each of photographs", 0, images.source_count - 1, InvarianceError) for one in numbers), images.name
        )

    def __len__(self) -> int:
        return len(self.sources)

    def __iter__(self) -> Iterator[tuple[str, str | None, Image.Image | PictureError]]:
        """Iterate over (name, label, photograph or the reason why it cannot be read)."""
        for source in self.sources:
            if isinstance(self.images, ImageSet):
                name, label = self.images.source_name(source), label_name(self.images, source)
                try:
                    yield name, label, self.images.open_crop(self.images.crops_of(source)[0])
                except PictureError as error:
                    yield name, label, error
            else:
                image = self.images[source]
                name = Path(image).name if isinstance(image, str | Path) else f"image {source + 1}"
                try:
                    yield name, None, as_pil_image(image)
                except PictureError as error:
                    yield name, None, error


def _run(
    bundle: ModelBundle,
    photographs: _Photographs,
    kind: TransformKind,
    amounts: tuple[float, ...],
    layers: list[str],
    job: JobContext,
    total: int,
) -> tuple[list[PhotographCurves], list[SkippedImage]]:
    features, done = FeaturePass(bundle, layers), 0
    found, skipped = list[PhotographCurves](), list[SkippedImage]()

    def advance(count: int) -> None:
        nonlocal done
        done += count
        job.report(Progress(JOB, done, total))

    for name, label, image in photographs:
        job.check_cancelled(CANCELLED)
        if isinstance(image, PictureError):
            skipped.append(SkippedImage(name, str(image)))
            advance(len(amounts) + 1)
            continue
        photograph = TransformedPhotograph(bundle, image)
        found.append(photograph_curves(features, photograph, name, label, kind, amounts, job, advance))
    return found, skipped


def spread(total: int, count: int) -> tuple[int, ...]:
    """Return `count` numbers below `total`, evenly spread from 0; all if there are not more.

    Examples
    --------
    >>> spread(100, 5)
    (0, 20, 40, 60, 80)
    """
    return tuple(number * total // count for number in range(count)) if count < total else tuple(range(total))


def notes_of(bundle: ModelBundle, kind: TransformKind, photographs: Sequence[PhotographCurves]) -> tuple[str, ...]:
    """Return sentences about approximate amounts, photographs without a label, and a model that draws random numbers."""
    without = [one.name for one in photographs if one.target is not None and not one.labelled]
    classes = bundle.quantity is not None and bundle.quantity.kind == "probability"
    whose = "every photograph" if len(without) == len(photographs) else ", ".join(without[:5]) + (" and others" if len(without) > 5 else "")
    predicted = f"{PREDICTED}: {whose}." if without and classes else ""
    random = _NOISE if RANDOM in (bundle.network.reason or "") else ""
    return tuple(note for note in (geometry_note(bundle, kind), predicted, random) if note)


def _numbers(photographs: object) -> list[object]:
    if isinstance(photographs, str | bytes | dict) or not isinstance(photographs, Iterable) or getattr(photographs, "shape", None) == ():
        raise InvarianceError(f"photographs must be a number of photographs, or their numbers, not {describe(photographs)}.")
    numbers = list(photographs)
    if not numbers:
        raise InvarianceError("photographs is empty: give the numbers of one or more photographs.")
    return numbers
