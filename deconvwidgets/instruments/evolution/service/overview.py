"""The overview of an evolution service."""

from __future__ import annotations

from deconvwidgets.checkpoints.checkpoint_set import Checkpoints
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
    notes = [columns.note, log_note, *(_untrained(listed)), *([] if last is None else [sample_note(last)])]
    return EvolutionOverview(
        version=version,
        name=checkpoints.name,
        weights=_weights(listed),
        images=images.name,
        photographs=images.source_count,
        crops=len(images),
        sampled=0 if last is None else len(last.sample),
        epochs=listed,
        layers=tuple(EvolutionLayer.of(info) for info in epochs.layers),
        input_size=None if last is None else last.identity.input_size,
        device=device,
        live=checkpoints.folder is not None,
        log=log,
        skipped=images.skipped if last is None else last.skipped,
        notes=tuple(note for note in notes if note),
    )


def _weights(columns: tuple[EpochColumn, ...]) -> str:
    """Return the epochs in words, and which of them are random weights."""
    if not columns:
        return "no checkpoint yet"
    first, last = columns[0].epoch, columns[-1].epoch
    counted = "1 checkpoint" if len(columns) == 1 else f"{len(columns)} checkpoints"
    span = f"of epoch {first}" if first == last else f"of epochs {first} to {last}"
    return f"{counted} {span}"


def _untrained(columns: tuple[EpochColumn, ...]) -> list[str]:
    random = [str(column.epoch) for column in columns if not column.trained]
    return [f"Epoch {', '.join(random)}: random weights, untrained."] if random else []


def _log(checkpoints: Checkpoints) -> tuple[TrainingLog | None, str]:
    """Return the training log, or why it cannot be read."""
    try:
        return checkpoints.log, ""
    except CheckpointError as error:
        return None, str(error)
