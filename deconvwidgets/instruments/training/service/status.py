"""The status of a training, from its folder and from what the service was asked to train."""

from __future__ import annotations

from pathlib import Path

from deconvwidgets.checkpoints.description import TrainingDescription
from deconvwidgets.instruments.training.records import Phase, TrainingPlan, TrainingStatus, diverged_epoch
from deconvwidgets.instruments.training.service.code import checkpoint_code
from deconvwidgets.instruments.training.service.folder import FolderContent
from deconvwidgets.instruments.training.service.recipe_parts import recipe_parts
from deconvwidgets.instruments.training.service.resuming import how_to_resume
from deconvwidgets.models.untrained import PAPERS
from deconvwidgets.records.progress import Progress
from deconvwidgets.service.folder_service import ACTIVE, OwnRun


def status_of(
    folder: Path,
    content: FolderContent,
    plan: TrainingPlan | None,
    *,
    failure: str = "",
    own_run: OwnRun = "none",
    preparation: Progress | None = None,
    overwrite: bool = False,
    architecture: object = None,
    layer_names: tuple[tuple[str, str], ...] = (),
) -> TrainingStatus:
    """Return the status.

    Parameters
    ----------
    folder : pathlib.Path
        The folder of the training.
    content : FolderContent
        What it says.
    plan : TrainingPlan or None
        What the service can train; None if it only watches.
    failure : str
        Why the last start of this service failed; empty if it did not.
    own_run : {"none", "running", "stopping"}
        The training of this service, which may not have written anything yet.
    preparation : Progress, optional
        Of the training of this service.
    overwrite : bool
        Whether the next start replaces what is in the folder.
    architecture : str, torch.nn.Module, callable or None
        What the service can train; None if it only watches, and then that of the folder counts.
    layer_names : tuple of (str, str)
        The aliases of layers by their dotted names, as far as they are known.
    """
    phase: Phase = content.phase if own_run == "none" else own_run
    described = content.description
    shown = plan if plan is not None else None if described is None else _described_plan(described, folder)
    own = plan is not None
    if architecture is None and described is not None:
        architecture = described.architecture
    begun = content.phase in ("cancelled", "failed", "interrupted", "finished")
    complete = content.phase == "finished" and plan is not None and content.progress is not None and plan.epochs <= content.progress.epoch
    return TrainingStatus(
        folder=str(folder),
        phase=phase,
        plan=shown,
        progress=content.progress,
        epochs=len(content.log.epochs),
        version=content.version,
        checkpoints=content.checkpoints,
        message=_message(folder, content, failure, own, overwrite),
        can_start=own and phase not in ACTIVE and (overwrite or not complete),
        can_cancel=phase == "running",
        resumes=begun and not overwrite,
        code=checkpoint_code(folder, content.checkpoints[-1], architecture, len(shown.classes)) if content.checkpoints and shown else (),
        layer_names=layer_names,
        preparation=preparation if phase == "running" else None,
    )


def _described_plan(described: TrainingDescription, folder: Path) -> TrainingPlan:
    recipe = described.recipe
    counts = {name: recipe.get(name) for name in ("training_images", "validation_images", "parameters")}
    known = {name: value if isinstance(value, int) else None for name, value in counts.items()}
    epochs = recipe.get("epochs")
    return TrainingPlan(
        model=described.name or described.architecture or folder.name,
        images=described.image_set,
        training=known["training_images"],
        validation=known["validation_images"],
        classes=described.categories or (),
        parameters=known["parameters"],
        input_size=described.input_size,
        pretrained=described.pretrained,
        epochs=epochs if isinstance(epochs, int) else 0,
        recipe=recipe_parts(recipe, described.architecture in PAPERS and not described.pretrained),
    )


def _message(folder: Path, content: FolderContent, failure: str, own: bool, overwrite: bool) -> str:
    progress = content.progress
    if content.problem or failure:
        return content.problem or failure
    if content.phase == "new" and overwrite and content.description is not None:
        return f"Start deletes the earlier training in {folder}."
    if content.phase == "new" and not own and content.description is not None:
        return f"A training was set up in {folder}. It is shown as soon as it has begun."
    if content.phase == "new" and not own:
        where = "There is no training in" if content.exists else "There is no folder"
        return f"{where} {folder} yet. It is shown as soon as one writes there."
    way = "Resume goes on from the last saved state." if own else how_to_resume(folder, content.description)
    if content.phase == "cancelled":
        return "The state is saved: Resume goes on from there." if own else f"Cancelled; the state is saved. {way}"
    if content.phase == "failed":
        message = progress.message if progress is not None and progress.message else "The training failed."
        return message if own else f"{message} {way}"
    if content.phase == "interrupted" and progress is not None:
        return f"{_interrupted(content.quiet, progress.host)} {way}"
    diverged = diverged_epoch(content.log)
    if diverged is not None:
        return f"The loss is not a number since epoch {diverged}. Train again with a lower learning rate."
    if content.quiet:
        return f"No progress for {_duration(content.quiet)}."
    return progress.message if progress is not None else ""


def _interrupted(quiet: float, host: str) -> str:
    if quiet:
        return f"No progress for {_duration(quiet)}: the training on {host} has probably ended."
    return "The process of the training ended."


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.0f} h"
