"""Reading the runs of a study from their folders, again only where files have changed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from statistics import median
from threading import Lock

from deconvwidgets.instruments.ablation.compute.shipped import folder_name
from deconvwidgets.instruments.ablation.compute.study_file import StudyDescription, read_measured, run_folder
from deconvwidgets.instruments.ablation.notes import notes_of
from deconvwidgets.instruments.ablation.records import AblationRun, AblationTable, RunPhase
from deconvwidgets.instruments.ablation.summary import rows_of
from deconvwidgets.instruments.training.service.folder import FolderContent, TrainingFolder
from deconvwidgets.records.training_log import EpochLog

_TOP5_CLASSES = 6  # of at most five classes, the top five are always right


class StudyReader:
    """Reads the runs of a study.

    Parameters
    ----------
    folder : Path
        The folder of the study.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._readers: dict[Path, TrainingFolder] = {}
        self._lock = Lock()

    def read(self, folder: Path) -> FolderContent:
        """Return the content of the folder of a run."""
        with self._lock:
            return self._readers.setdefault(folder, TrainingFolder(folder)).read()

    def runs(self, found: StudyDescription) -> tuple[AblationRun, ...]:
        """Return all runs of a study, by variant and seed. Raises AblationError if a file is damaged."""
        return tuple(self._run(found, variant.name, seed) for variant in found.variants for seed in found.seeds)

    def table(self, found: StudyDescription) -> AblationTable:
        """Return the numbers as they stand. Raises AblationError if a file is damaged."""
        return self._table(found, self.runs(found))

    def planned_table(self, found: StudyDescription) -> AblationTable:
        """Return the table before any run, whatever is in the folder."""
        runs = tuple(
            AblationRun(
                variant=variant.name,
                seed=seed,
                folder=str(run_folder(self.folder, variant.name, seed)),
                phase="new",
                epochs=found.epochs,
            )
            for variant in found.variants
            for seed in found.seeds
        )
        return self._table(found, runs)

    def _table(self, found: StudyDescription, runs: tuple[AblationRun, ...]) -> AblationTable:
        return AblationTable(
            folder=folder_name(self.folder),
            images=found.images,
            classes=len(found.classes),
            training=found.training,
            validation=found.validation,
            input_size=found.input_size,
            epochs=found.epochs,
            seeds=found.seeds,
            baseline=found.baseline,
            rows=rows_of(found.variants, runs, found.baseline),
            notes=notes_of(found.variants, found.seeds, runs, found.notes, own_validation=found.digests[1] is not None),
        )

    def _run(self, found: StudyDescription, variant: str, seed: int) -> AblationRun:
        folder = run_folder(self.folder, variant, seed)
        content = self.read(folder)
        epochs, progress = content.log.epochs, content.progress
        last = epochs[-1] if epochs else EpochLog(epoch=0)
        measured = read_measured(folder)
        fits = measured is not None and (measured.epoch, measured.seconds) == (last.epoch, last.seconds)
        complete = content.phase == "finished" and fits and last.epoch == found.epochs
        phase: RunPhase = "complete" if complete else content.phase
        speeds = [entry.images_per_second for entry in epochs if entry.images_per_second is not None]
        return AblationRun(
            variant=variant,
            seed=seed,
            folder=str(folder),
            phase=phase,
            epoch=last.epoch,
            epochs=found.epochs,
            train_error=measured.train_error if complete and measured is not None else None,
            top1_error=_error(last.validation_top1),
            top5_error=_error(last.validation_top5) if len(found.classes) >= _TOP5_CLASSES else None,
            images_per_second=median(speeds) if speeds else None,
            message=content.problem or (progress.message if progress is not None else ""),
            curve=tuple(_points(epochs)),
        )


def _points(epochs: Iterable[EpochLog]) -> Iterable[tuple[int, float | None, float | None]]:
    return ((entry.epoch, _error(entry.train_top1), _error(entry.validation_top1)) for entry in epochs)


def _error(share: float | None) -> float | None:
    return None if share is None else 1 - share
