"""The call that resumes a training whose folder is all that a panel has."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from deconvwidgets.checkpoints.description import TrainingDescription
from deconvwidgets.instruments.training.compute.recipe import Recipe

_FUNCTIONS = ("optimizer", "schedule")  # the folder has their names only


def resume_call(folder: Path, described: TrainingDescription | None) -> str:
    """Return the call of a TrainingPanel that can resume a training, as Python. What the folder cannot tell is a name to be defined.

    Examples
    --------
    >>> described = TrainingDescription(architecture="zfnet", input_size=(3, 96, 96), recipe={"epochs": 20, "flips": True})
    >>> resume_call(Path("runs/first"), described)
    "dw.TrainingPanel('zfnet', images, out='runs/first', input_size=(3, 96, 96), epochs=20)"
    """
    if described is None:
        return f"dw.TrainingPanel(network, images, out={str(folder)!r})"
    arguments = ["network" if described.architecture is None else repr(described.architecture), "images", f"out={str(folder)!r}"]
    if described.recipe.get("validation_digest") is not None:
        arguments.append("validation=validation")
    if described.input_size is not None:
        arguments.append(f"input_size={described.input_size}")
    if described.pretrained:
        arguments.append("pretrained=True")
    usual = Recipe().to_plain()
    for field in fields(Recipe):
        value = described.recipe.get(field.name, usual[field.name])
        if value != usual[field.name]:
            arguments.append(f"{field.name}={field.name if field.name in _FUNCTIONS else repr(value)}")
    return f"dw.TrainingPanel({', '.join(arguments)})"


def how_to_resume(folder: Path, described: TrainingDescription | None) -> str:
    """Return how a training is resumed, in words, for a panel that has only its folder."""
    images = f"images of {described.image_set!r}" if described is not None and described.image_set else "its images"
    network = "" if described is not None and described.architecture is not None else "its network and "
    return f"This panel has only the folder. To resume, open one with {network}{images}: {resume_call(folder, described)}"
