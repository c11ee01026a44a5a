"""The files of a study in its folder: study.json, and measured.json in the folder of each run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from deconvwidgets.atomic_file import way_on, write_atomic
from deconvwidgets.checkpoints.training_files import delete_training
from deconvwidgets.errors import AblationError, CheckpointError
from deconvwidgets.index.folder_lock import is_locked
from deconvwidgets.instruments.ablation.records import PaperErrors, Variant
from deconvwidgets.strict_json import StrictJsonError, read_json

STUDY_FILE = "study.json"
MEASURED_FILE = "measured.json"
LOCK_FILE = ".ablation.lock"
_FORMAT = "deconvwidgets ablation study 1"


@dataclass(frozen=True, kw_only=True)
class StudyDescription:
    """What is compared with what, and how it is trained.

    `recipe` are the fields of the recipe as plain values, without the seed; `digests` are those of the images and of the validation images,
    `networks` those of the variants' networks by name: `network_digest` and, after a space, `settings_digest`. Studies of earlier versions
    have only the first one, or none of `networks`.
    """

    variants: tuple[Variant, ...]
    baseline: str
    seeds: tuple[int, ...]
    epochs: int
    recipe: Mapping[str, Any] = field(default_factory=dict)
    images: str = ""
    digests: tuple[str | None, str | None] = (None, None)
    classes: tuple[str, ...] = ()
    training: int = 0
    validation: int = 0
    input_size: tuple[int, int, int] = (3, 224, 224)
    notes: tuple[str, ...] = ()
    networks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of a run after its training: the top-1 error on the training photographs, in evaluation mode.

    `epoch` and `seconds` are those of the last line of the log that it belongs to: another training in the folder has other ones.
    """

    epoch: int
    seconds: float | None
    photographs: int
    train_error: float


def run_folder(study: Path, variant: str, seed: int) -> Path:
    """Return the folder of a run."""
    return study / variant / f"seed {seed}"


def delete_runs(study: Path) -> None:
    """Delete the files of all runs of a study, and no others. Raises AblationError if one cannot be deleted, or may not be a run's."""
    try:
        for folder in study.glob("*/seed *"):
            (folder / MEASURED_FILE).unlink(missing_ok=True)
            delete_training(folder)
    except OSError as error:
        way = way_on(error, "Give the folder write permission")
        raise AblationError(f"Runs in {study} cannot be deleted ({error.strerror}). {way}, or choose another folder.") from error
    except CheckpointError as error:
        raise AblationError(str(error)) from error


def is_trained(folder: Path) -> bool:
    """Return whether a process of this machine trains a study in a folder: also between two runs, and while one is measured."""
    return is_locked(folder, LOCK_FILE)


def write_study(folder: Path, description: StudyDescription) -> None:
    """Write study.json, atomically. Raises AblationError if it cannot be written."""
    _write(folder / STUDY_FILE, {**asdict(description), "format": _FORMAT})


def read_study(folder: Path) -> StudyDescription | None:
    """Return the description of a study; None if the folder has none. Raises AblationError if it is damaged."""
    plain = _read(folder / STUDY_FILE)
    if plain is None:
        return None
    if not isinstance(plain, dict) or plain.get("format") != _FORMAT:
        raise AblationError(f"{folder / STUDY_FILE} is no study of this version: update deconvwidgets.")
    try:
        return _description(plain)
    except (TypeError, ValueError, KeyError) as error:
        raise AblationError(f"{folder / STUDY_FILE} is damaged ({error}). Delete it, and call dw.run_ablation again.") from error


def write_measured(folder: Path, measured: Measured) -> None:
    """Write measured.json of a run, atomically. Raises AblationError if it cannot be written."""
    _write(folder / MEASURED_FILE, asdict(measured))


def read_measured(folder: Path) -> Measured | None:
    """Return what was measured of a run; None if nothing was. Raises AblationError if the file is damaged."""
    path = folder / MEASURED_FILE
    plain = _read(path)
    if plain is None:
        return None
    try:
        measured = Measured(**plain)
        if not 0 <= measured.train_error <= 1 or min(measured.epoch, measured.photographs) < 0:
            raise ValueError("its numbers are out of range")
    except (TypeError, ValueError) as error:
        raise AblationError(f"{path} is damaged ({error}). Delete it, and call dw.run_ablation again.") from error
    return measured


def _description(plain: dict[str, Any]) -> StudyDescription:
    variants = tuple(_variant(entry) for entry in plain["variants"])
    if not variants or plain["baseline"] not in {variant.name for variant in variants}:
        raise ValueError("its baseline is none of its variants")
    images, validation = plain["digests"]
    channels, height, width = map(int, plain["input_size"])
    return StudyDescription(
        variants=variants,
        baseline=plain["baseline"],
        seeds=tuple(int(seed) for seed in plain["seeds"]),
        epochs=int(plain["epochs"]),
        recipe=dict(plain["recipe"]),
        images=str(plain["images"]),
        digests=(images, validation),
        classes=tuple(map(str, plain["classes"])),
        training=int(plain["training"]),
        validation=int(plain["validation"]),
        input_size=(channels, height, width),
        notes=tuple(map(str, plain["notes"])),
        networks={str(name): str(digest) for name, digest in plain.get("networks", {}).items()},
    )


def _variant(plain: dict[str, Any]) -> Variant:
    paper = plain["paper"]
    return Variant(**{**plain, "surgery": tuple(plain["surgery"]), "paper": None if paper is None else PaperErrors(**paper)})


def _write(path: Path, plain: Mapping[str, Any]) -> None:
    try:
        write_atomic(path, json.dumps(plain, ensure_ascii=False, allow_nan=False, indent=2).encode())
    except OSError as error:
        raise AblationError(
            f"{path} cannot be written ({error.strerror}). {way_on(error, 'Choose a folder with write permission')}."
        ) from error


def _read(path: Path) -> Any:
    try:
        return read_json(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, StrictJsonError) as error:
        raise AblationError(f"{path} is damaged ({error}). Delete it, and call dw.run_ablation again.") from error
