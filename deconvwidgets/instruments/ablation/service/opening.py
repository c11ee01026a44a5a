"""Which service the arguments of an AblationPanel mean."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deconvwidgets.errors import AblationError
from deconvwidgets.instruments.ablation.compute.plan import plan_study
from deconvwidgets.instruments.ablation.compute.study import AblationStudy
from deconvwidgets.instruments.ablation.compute.study_file import STUDY_FILE
from deconvwidgets.instruments.ablation.service.api import LocalAblationService
from deconvwidgets.paths import as_path

_OPTIONS = ("baseline", "validation", "input_size", "overwrite", "device")  # all others are fields of the recipe


def open_service(
    study: object,
    images: object,
    recipe: Any,
    seeds: int | Sequence[int],
    out: object,
    folder: object,
    options: Mapping[str, Any],
) -> LocalAblationService | None:
    """Return the service of a study, of variants to train, or of a folder to watch; None if `study` is none of them.

    Raises
    ------
    AblationError
        If the arguments do not fit together, or the variants cannot be trained alike.
    """
    if folder is not None:
        given = [name for name, value in (("study", study), ("images", images), ("recipe", recipe), ("out", out)) if value is not None]
        if given:
            raise AblationError(f"A panel either watches a folder, or trains: give folder=..., or {', '.join(given)}, not both.")
        return LocalAblationService(as_path(folder, "folder", AblationError))
    if out is not None:
        return _trained(study, images, recipe, seeds, out, options)
    if recipe is not None:
        raise AblationError("recipe is for variants to train: give out=..., the folder of the study, too.")
    if isinstance(study, AblationStudy):
        return LocalAblationService(study)
    if isinstance(study, str | os.PathLike) and _has_study(study):
        return LocalAblationService(AblationStudy(study, images=images))
    if images is not None:
        raise AblationError("To train variants on images, give out=..., the folder of the study, too.")
    return None


def _trained(
    specs: Any, images: object, recipe: Any, seeds: int | Sequence[int], out: object, options: Mapping[str, Any]
) -> LocalAblationService:
    if specs is None or images is None:
        raise AblationError("Give what to train on what: dw.AblationPanel('table3', images, out='runs/table3').")
    fields = {name: value for name, value in options.items() if name not in _OPTIONS}
    rest = {name: value for name, value in options.items() if name in _OPTIONS}
    return LocalAblationService(plan_study(specs, images, recipe, seeds, out, fields=fields, **rest))


def _has_study(folder: str | os.PathLike[str]) -> bool:
    return (Path(as_path(folder, "study", AblationError)) / STUDY_FILE).is_file()
