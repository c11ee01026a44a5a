"""The curves of one photograph: every amount of a transformation in batches, against the photograph as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deconvwidgets.compute.class_labels import class_of_label
from deconvwidgets.compute.devices import to_model
from deconvwidgets.compute.job import JobContext
from deconvwidgets.compute.scores import most_probable, scores_of
from deconvwidgets.compute.stream import decoded_ahead
from deconvwidgets.display import Rgb, resize_image
from deconvwidgets.errors import ModelError
from deconvwidgets.instruments.invariance.compute.features import FeaturePass, Visitor
from deconvwidgets.instruments.invariance.compute.transformed import TransformedPhotograph
from deconvwidgets.instruments.invariance.records import PhotographCurves
from deconvwidgets.instruments.invariance.transforms import TransformKind
from deconvwidgets.models.bundle import ModelBundle

_AHEAD = 32  # inputs that are prepared ahead
_EXAMPLES = 5
_EXAMPLE_SIDE = 112  # pixels
CANCELLED = "The invariance curves were cancelled: compute them again."


class FeatureDistances:
    """The Euclidean distances of some layers' features from those of a photograph as it is.

    Parameters
    ----------
    features : FeaturePass
    also : callable, optional
        Called as `also(name, map)` with each map that is visited; it must copy what it keeps.
    """

    def __init__(self, features: FeaturePass, also: Visitor | None = None) -> None:
        self._features, self._also = features, also
        self._unchanged: dict[str, Tensor] = {}

    def begin(self, pixels: Tensor) -> tuple[NDArray[np.float64], Tensor | None]:
        """Run the photograph as it is, (C, H, W).

        Returns
        -------
        array (layers,) float64, and Tensor (1, outputs) or None
            The norms of the layers' features, and what the model returns.

        Raises
        ------
        ModelError
            If a layer or an output is not finite.
        """
        self._unchanged = {}

        def keep(name: str, value: Tensor) -> None:
            self._unchanged[name] = value[:1].clone()
            self._visit(name, value)

        outputs = self._features.run(self._batch(pixels[None]), keep)
        norms = np.array([float(_norms(self._unchanged[name])[0]) for name in self._features.layers])
        self._check(norms[:, None])
        return norms, outputs

    def run(self, pixels: Tensor) -> tuple[NDArray[np.float64], Tensor | None]:
        """Run transformed photographs, (N, C, H, W): the distances (layers, N), and what the model returns. Raises as `begin` does."""
        found: dict[str, NDArray[np.float64]] = {}

        def measure(name: str, value: Tensor) -> None:
            found[name] = _norms(value - self._unchanged[name])
            self._visit(name, value)

        outputs = self._features.run(self._batch(pixels), measure)
        distances = np.stack([found[name] for name in self._features.layers]) if found else np.zeros((0, len(pixels)))
        self._check(distances)
        return distances, outputs

    def _visit(self, name: str, value: Tensor) -> None:
        if self._also is not None:
            self._also(name, value)

    def _batch(self, pixels: Tensor) -> Tensor:
        return to_model(pixels, self._features.bundle.model)

    def _check(self, values: NDArray[np.float64]) -> None:
        for name, row in zip(self._features.layers, values, strict=False):
            if not np.isfinite(row).all():
                raise ModelError(
                    f"The layer {name} of {self._features.bundle.name} has NaN or infinite values for this photograph: check its weights "
                    "and its transform."
                )


def photograph_curves(
    features: FeaturePass,
    photograph: TransformedPhotograph,
    name: str,
    label: str | None,
    kind: TransformKind,
    amounts: Sequence[float],
    job: JobContext,
    advance: Callable[[int], None],
) -> PhotographCurves:
    """Return the curves of a photograph over the amounts.

    Parameters
    ----------
    features : FeaturePass
    photograph : TransformedPhotograph
    name : str
        The name of the photograph.
    label : str or None
        Its true class. Without one, or if it is none of the model's classes, the target is what the model predicts for it.
    kind : TransformKind
    amounts : sequence of float
    job : JobContext
    advance : callable
        Called with the number of inputs of each batch.

    Raises
    ------
    ModelError
        If an output or a layer is not finite.
    JobCancelledError
        If the job is cancelled.
    """
    bundle, distances = features.bundle, FeatureDistances(features)
    unchanged = photograph.unchanged()
    with job.device_lease():
        norms, outputs = distances.begin(unchanged)
    target, labelled = (None, False) if outputs is None else target_of(bundle, outputs, label)
    advance(1)
    rows, scores, examples = list[NDArray[np.float64]](), list[NDArray[np.float64]](), list[Rgb]()
    places, done = example_places(len(amounts)), 0
    for batch in _batches(photograph, kind, amounts, job):
        row, returned = _measured(distances, batch, job)
        rows.append(row)
        if returned is not None and target is not None:
            scores.append(_score(bundle, returned, target))
        examples += [_reduced(bundle, batch[place - done]) for place in places if done <= place < done + len(batch)]
        done += len(batch)
        advance(len(batch))
    return PhotographCurves(
        name=name,
        target=None if target is None else class_name(bundle, target),
        labelled=labelled,
        norms=norms,
        distances=np.concatenate(rows, axis=1),
        scores=np.concatenate(scores) if scores else None,
        unchanged=None if outputs is None or target is None else float(_score(bundle, outputs, target)[0]),
        picture=_reduced(bundle, unchanged),
        examples=np.stack(examples),
        example_amounts=tuple(amounts[place] for place in places),
    )


def _measured(distances: FeatureDistances, batch: Tensor, job: JobContext) -> tuple[NDArray[np.float64], Tensor | None]:
    """Run one batch as a step of the job."""
    job.check_cancelled(CANCELLED)
    with job.device_lease():
        started = perf_counter()
        measured = distances.run(batch)
        job.batch_size.record(len(batch), perf_counter() - started)
    return measured


def example_places(count: int) -> tuple[int, ...]:
    """Return the places of the amounts of which examples are kept: five of `count`, evenly spread, the first and the last included."""
    return tuple(dict.fromkeys(np.linspace(0, count - 1, min(_EXAMPLES, count)).round().astype(int).tolist()))


def _reduced(bundle: ModelBundle, pixels: Tensor) -> Rgb:
    picture = bundle.to_picture(pixels)
    return resize_image(picture, _EXAMPLE_SIDE) if max(picture.shape) > _EXAMPLE_SIDE else picture


def target_of(bundle: ModelBundle, outputs: Tensor, label: str | None) -> tuple[int, bool]:
    """Return the class whose probability is recorded, and whether it is the label; of a regression the first output.

    Parameters
    ----------
    outputs : Tensor (1, outputs)
        What the model returns for the photograph as it is.
    label : str or None
        The photograph's true class.
    """
    assert bundle.quantity is not None
    if bundle.quantity.kind == "value":
        return 0, False
    known = class_of_label(bundle, label)
    if known is not None:
        return known, True
    return int(most_probable(scores_of(outputs, bundle.quantity, bundle.name))[0]), False


def class_name(bundle: ModelBundle, label: int) -> str:
    """Return the name of a class or output."""
    names = bundle.categories or ()
    return names[label] if label < len(names) else f"class {label}"


def _score(bundle: ModelBundle, outputs: Tensor, target: int) -> NDArray[np.float64]:
    assert bundle.quantity is not None
    scores: NDArray[np.float64] = scores_of(outputs, bundle.quantity, bundle.name)[:, target]
    return scores


def _batches(photograph: TransformedPhotograph, kind: TransformKind, amounts: Sequence[float], job: JobContext) -> Iterator[Tensor]:
    """Iterate over batches (N, C, H, W) of the inputs for the amounts, which are prepared ahead of the computation."""
    jobs = ((1, partial(photograph.input, kind, amount)) for amount in amounts)
    with closing(decoded_ahead(jobs, job.decode_threads, _AHEAD)) as inputs:
        while batch := list(islice(inputs, job.batch_size.size())):
            yield torch.stack(batch)


def _norms(values: Tensor) -> NDArray[np.float64]:
    """Return the Euclidean norm of each of N features (N, ...)."""
    plain = values.flatten(1)
    plain = plain.float().cpu() if plain.device.type == "mps" else plain  # without float64
    norms: NDArray[np.float64] = torch.linalg.vector_norm(plain, dim=1, dtype=torch.float64).cpu().numpy()
    return norms
