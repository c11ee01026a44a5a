"""What is evaluated: the classes of a model, and the labels of an image set for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from deconvwidgets.engine.example import reference_tensor
from deconvwidgets.errors import EvaluationError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.images.targets import targets_digest
from deconvwidgets.instruments.evaluation.compute.class_labels import class_labels, matches_of, multiple_labels, named_labels
from deconvwidgets.instruments.evaluation.compute.labels import Labels, given_targets, value_labels
from deconvwidgets.instruments.evaluation.compute.names import Mapped
from deconvwidgets.instruments.evaluation.compute.outputs import run_model
from deconvwidgets.instruments.evaluation.records import ClassMatch, EvaluationTask
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.records.quantity import Quantity


def require_quantity(bundle: ModelBundle) -> Quantity:
    """Return what a model predicts. Raises EvaluationError if it predicts nothing."""
    if bundle.quantity is None or bundle.classifier is None:
        maps = "It returns maps, one prediction per position: choose output=... in" if bundle.quantity is not None else "Pass categories to"
        raise EvaluationError(
            f"{bundle.name} predicts no classes or values, so there is nothing to evaluate. {maps} dw.ModelBundle.from_module, or put a "
            "head on it: bundle.with_head(...)."
        )
    return bundle.quantity


def task_of(quantity: Quantity) -> EvaluationTask:
    """Return the kind of evaluation for what a model predicts."""
    return quantity.task if quantity.task in ("multilabel", "regression") else "classification"


def classes_of(bundle: ModelBundle) -> tuple[str, ...]:
    """Return the names of the model's classes or outputs; generated ones ("class 0") if the bundle has none."""
    if bundle.categories is not None:
        return bundle.categories
    example = torch.zeros(bundle.input_size, dtype=reference_tensor(bundle.model).dtype)
    with torch.no_grad():
        outputs = run_model(bundle, example[None])
    return tuple(f"class {number}" for number in range(outputs.shape[1]))


def resolve_labels(bundle: ModelBundle, images: ImageSet, classes: Sequence[str], labels: object, mapping: Mapped | None) -> Labels:
    """Return the labels of an image set in the terms of a model.

    Parameters
    ----------
    bundle : ModelBundle
    images : ImageSet
    classes : sequence of str
        `classes_of(bundle)`.
    labels : sequence, optional
        One per photograph, instead of those of the image set; numbers are those of the model's classes.
    mapping : mapping, optional
        The model's classes for some classes of the image set.

    Raises
    ------
    EvaluationError
        If there are no labels, if they do not fit the task, or if no class of them, or none for sure, is one of the model's.
    """
    task = task_of(require_quantity(bundle))
    if task == "regression" and mapping is not None:
        raise EvaluationError(f"{bundle.name} predicts values, which have no classes: do not pass mapping.")
    targets = given_targets(images, labels)
    if task == "regression":
        found = value_labels(images, targets, classes)
    else:
        resolve = multiple_labels if task == "multilabel" else class_labels
        found = resolve(images, targets, bundle.name, classes, mapping, images.categories if labels is None else None)
    return replace(found, digest=targets_digest(targets))


def find_matches(bundle: ModelBundle, images: ImageSet, classes: Sequence[str], mapping: Mapped | None) -> tuple[ClassMatch, ...]:
    """Return how the classes of an image set are matched with a model's, where no evaluation is possible; () if it has no classes.

    A wrong `mapping` is ignored: the error says what is wrong with it.
    """
    multiple = task_of(require_quantity(bundle)) == "multilabel"
    try:
        named = named_labels(images, given_targets(images, None), classes, images.categories, multiple)
    except EvaluationError:  # no labels, or none that are classes
        return ()
    try:
        return matches_of(named, classes, mapping)
    except EvaluationError:
        return matches_of(named, classes, None)
