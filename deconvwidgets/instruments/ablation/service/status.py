"""The status of a study, from its folder and from what the service trains."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deconvwidgets.instruments.ablation.compute.study_file import StudyDescription
from deconvwidgets.instruments.ablation.records import AblationStatus, AblationTable, StudyPhase
from deconvwidgets.instruments.training.service.recipe_parts import recipe_parts
from deconvwidgets.records.progress import Progress
from deconvwidgets.service.folder_service import ACTIVE, OwnRun


@dataclass(frozen=True, slots=True)
class Content:
    """What the folder of a study says, whether a process trains there, a request to stop, and what cannot be read.

    `replaces`: the folder has another study, which the start of this one deletes.
    """

    description: StudyDescription | None = None
    table: AblationTable | None = None
    trained: bool = False
    stop: bool = False
    replaces: bool = False
    problem: str = ""


def status_of(
    folder: Path,
    content: Content,
    *,
    trains: bool,
    overwrite: bool,
    explorable: bool,
    own_run: OwnRun,
    failure: str,
    progress: Progress | None,
) -> AblationStatus:
    """Return the status. `trains`: whether the service can train the study. `own_run`: what it trains now."""
    table = content.table if content.table is not None else AblationTable(folder=str(folder))
    phase = _phase(table, content) if own_run == "none" else own_run
    described = content.description
    parts = () if described is None else recipe_parts(described.recipe)
    return AblationStatus(
        phase=phase,
        table=table,
        message=content.problem or failure or _message(folder, table, phase, trains, content),
        can_start=trains and phase not in ACTIVE and (phase != "complete" or overwrite),
        can_cancel=phase == "running",
        recipe=tuple((part.name, part.value) for part in parts),
        explorable=explorable,
        progress=progress if phase in ACTIVE else None,
    )


def _phase(table: AblationTable, content: Content) -> StudyPhase:
    phases = {run.phase for row in table.rows for run in row.runs}
    if content.trained or phases & {"running", "stopping"}:
        return "stopping" if content.stop or "stopping" in phases else "running"
    if phases == {"complete"}:
        return "complete"
    return "new" if phases <= {"new"} else "incomplete"


def _message(folder: Path, table: AblationTable, phase: StudyPhase, trains: bool, content: Content) -> str:
    if content.description is None:
        return f"There is no study in {folder} yet. It is shown as soon as one is trained there."
    if phase == "incomplete":
        way = "Resume goes on from the last saved states." if trains else "The call that started it goes on from the last saved states."
        failed = [f"{run.variant}, seed {run.seed}: {run.message}" for row in table.rows for run in row.runs if run.phase == "failed"]
        return f"{' '.join(failed)} {way}".strip()
    if phase == "new" and content.replaces:
        return f"Start deletes the earlier study in {folder}."
    return ""
