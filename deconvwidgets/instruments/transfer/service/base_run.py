"""The run with all units that a run without some is compared with."""

from __future__ import annotations

from deconvwidgets.errors import HeadError
from deconvwidgets.instruments.transfer.records import TransferSettings
from deconvwidgets.instruments.transfer.service.runs import TransferRun
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.service.datasets import CALTECH, OWN
from deconvwidgets.service.runs import RunRegistry

_MAX_FOLDS = 5


def base_run(runs: RunRegistry[TransferRun], number: int | None, used: int | None, bundle: ModelBundle) -> TransferRun | None:
    """Return the run to repeat without units: the given one, that of the head in use, or the newest that is complete.

    For a run that leaves out units itself, that is the run with all units. None if the head in use was not trained here.

    Raises
    ------
    HeadError
        For an unknown run, one that has not ended or has no results, and if there is neither a run nor a head.
    """
    if number is None and used is None and bundle.head is None:
        complete = [run for run in runs.all() if run.phase == "done" and not run.settings.muted]
        if not complete:
            raise HeadError("There is no head to solve again: train one first, or put one on the model.")
        return complete[-1]
    chosen = number if number is not None else used
    if chosen is None:
        return None
    run = runs.get(chosen)
    base = run.inputs.base or run
    if base.active:
        raise HeadError(f"Run {base.number} has not ended: wait for it, or stop it.")
    if base.settings.muted:
        raise HeadError(f"Run {base.number} leaves out units itself: choose a run with all units.")
    base.require_report()
    return base


def settings_of_head(bundle: ModelBundle, own_images: str) -> TransferSettings:
    """Return the settings that the head of a bundle was trained with.

    Parameters
    ----------
    bundle : ModelBundle
        The bundle.
    own_images : str
        The name of the service's image set.

    Raises
    ------
    HeadError
        If its photographs are not known by name.
    """
    head = bundle.head
    assert head is not None
    name = head.dataset.rpartition(",")[0].strip() or head.dataset
    known = {title: data for data, title in CALTECH.items()} | {data: data for data in CALTECH} | {own_images: OWN}
    images = head.report.get("images_per_class")
    if name not in known or not isinstance(images, int):
        raise HeadError(
            f"The head in use was trained on {name}, which is not at hand: train a head on these photographs first, and solve that again."
        )
    folds, seed, views = (head.report.get(key) for key in ("folds", "seed", "views"))
    return TransferSettings(
        known[name],
        head.alias or head.layer,
        images,
        min(int(folds), _MAX_FOLDS) if isinstance(folds, int) else 1,
        views="flips" if views == "flips" else "ten" if views == "ten" else "one",
        seed=seed if isinstance(seed, int) else 0,
    )
