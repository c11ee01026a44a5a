"""What is trained on what: found before the training, without changing anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from deconvwidgets.compute.job import JobContext
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.training.compute.architecture import build_network
from deconvwidgets.instruments.training.compute.recipe import Recipe, recipe_with
from deconvwidgets.instruments.training.compute.train import TrainedModel, checked_options, train
from deconvwidgets.instruments.training.compute.training_images import training_images
from deconvwidgets.instruments.training.records import TrainingPlan
from deconvwidgets.instruments.training.service.recipe_parts import recipe_parts

Architecture = str | nn.Module | Callable[[int], nn.Module]


@dataclass(frozen=True)
class Training:
    """The arguments of a call of `train`, and what they amount to."""

    architecture: Architecture
    images: ImageSet
    recipe: Recipe
    out: Path
    plan: TrainingPlan
    options: Mapping[str, Any]

    @property
    def overwrite(self) -> bool:
        """Whether the first start replaces what is in the folder."""
        return bool(self.options["overwrite"])

    def run(self, job: JobContext, overwrite: bool) -> TrainedModel:
        """Train."""
        options = {**self.options, "overwrite": overwrite}
        return train(self.architecture, self.images, self.recipe, self.out, progress=False, job=job, **options)

    def build(self) -> str | Callable[[], nn.Module] | nn.Module:
        """Return what builds the network, for `open_checkpoints`."""
        classes, made = len(self.plan.classes), self.architecture
        if isinstance(made, str | nn.Module):
            return made
        return lambda: made(classes)


def prepare_training(
    architecture: Architecture, images: ImageSet, recipe: Recipe | None, out: Path, options: Mapping[str, Any], fields: Mapping[str, Any]
) -> Training:
    """Check the arguments of a training, and return it.

    Raises
    ------
    TrainingError
        If it cannot be trained in this way; the message says why.
    """
    chosen = recipe_with(recipe, fields)
    given = {"name": None, "pretrained": False, "overwrite": False, "device": "auto", **options}
    checked = checked_options(architecture, *(given[key] for key in ("name", "pretrained", "overwrite", "device")))
    options = {**options, **checked}
    found = training_images(images, options.get("validation"), chosen.validation_share, chosen.seed)
    network = build_network(architecture, len(found.categories), options.get("input_size"), chosen.seed, options.get("name"))
    pretrained = options["pretrained"]
    plan = TrainingPlan(
        model=network.name,
        images=found.name,
        training=len(found.train),
        validation=0 if found.validation is None else len(found.validation),
        classes=found.categories,
        parameters=sum(parameter.numel() for parameter in network.model.parameters()),
        input_size=network.input_size,
        pretrained=pretrained,
        epochs=chosen.epochs,
        recipe=recipe_parts(chosen.to_plain(), network.of_paper and not pretrained),
    )
    return Training(architecture, images, chosen, out, plan, options)
