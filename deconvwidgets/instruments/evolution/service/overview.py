"""The overview of an evolution service."""

from __future__ import annotations

from deconvwidgets.checkpoints.checkpoint_set import Checkpoints
from deconvwidgets.checkpoints.log_file import is_running
from deconvwidgets.errors import CheckpointError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.evolution.compute.describe import sample_note
from deconvwidgets.instruments.evolution.records import EpochColumn, EvolutionLayer, EvolutionOverview
from deconvwidgets.instruments.evolution.service.columns import Columns
from deconvwidgets.records.training_log import TrainingLog


def make_overview(checkpoints: Checkpoints, images: ImageSet, columns: Columns, device: str) -> EvolutionOverview:
    """Return the overview."""
    version, epochs, listed = columns.version, columns.epochs, columns.all
    last = epochs.last if epochs.indexes else None
    log, log_note = _log(checkpoints)
    notes = [*columns.notes, log_note, *_untrained(listed), *([] if last is None else [sample_note(last)])]
    return EvolutionOverview(
        version=version,
        name=checkpoints.name,
        weights=_weights(listed, checkpoints.unit),
        images=images.name,
        photographs=images.source_count,
        crops=len(images),
        sampled=0 if last is None else len(last.sample),
        unit=checkpoints.unit,
        epochs=listed,
        layers=tuple(EvolutionLayer.of(info) for info in epochs.layers),
        input_size=None if last is None else last.identity.input_size,
        device=device,
        live=checkpoints.folder is not None and is_running(checkpoints.folder),
        log=log,
        skipped=images.skipped if last is None else last.skipped,
        notes=tuple(note for note in notes if note),
    )


def _weights(columns: tuple[EpochColumn, ...], unit: str) -> str:
    """Return which checkpoints there are, in words."""
    if not columns:
        return "no checkpoint yet"
    first, last = columns[0].epoch, columns[-1].epoch
    counted = "1 checkpoint" if len(columns) == 1 else f"{len(columns)} checkpoints"
    return f"{counted}, {unit} {first}" if first == last else f"{counted}, {unit}s {first} to {last}"


def _untrained(columns: tuple[EpochColumn, ...]) -> list[str]:
    return [f"{column.label.capitalize()}: random weights, untrained." for column in columns if not column.trained]


def _log(checkpoints: Checkpoints) -> tuple[TrainingLog | None, str]:
    """Return the training log, or why it cannot be read."""
    try:
        return checkpoints.log, ""
    except CheckpointError as error:
        return None, str(error)
