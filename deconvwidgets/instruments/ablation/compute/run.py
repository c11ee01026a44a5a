"""`dw.run_ablation`: train variants of a network alike, with several seeds, and compare them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import torch

from deconvwidgets.arguments import flag, integer, one_of
from deconvwidgets.checkpoints.log_file import clear_stop, stop_requested
from deconvwidgets.compute.job import JobContext, as_job
from deconvwidgets.errors import AblationError, JobCancelledError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.index.folder_lock import locked_folder
from deconvwidgets.instruments.ablation.compute.measure import STOPPED
from deconvwidgets.instruments.ablation.compute.one_run import RunRequest, train_one
from deconvwidgets.instruments.ablation.compute.plan import StudyPlan, plan_study
from deconvwidgets.instruments.ablation.compute.study import AblationStudy
from deconvwidgets.instruments.ablation.compute.study_file import LOCK_FILE, delete_runs, run_folder, write_study
from deconvwidgets.instruments.ablation.compute.variants import Specs
from deconvwidgets.instruments.training.compute.recipe import Recipe

__all__ = ["AblationStudy", "run_ablation"]


def run_ablation(
    specs: Specs,
    images: ImageSet | Any,
    recipe: Recipe | None = None,
    seeds: int | Sequence[int] = 3,
    out: str | os.PathLike[str] = "",
    *,
    baseline: str | None = None,
    validation: ImageSet | Any = None,
    input_size: int | tuple[int, int] | tuple[int, int, int] | None = None,
    overwrite: bool = False,
    device: str | torch.device = "auto",
    progress: bool = True,
    job: JobContext | None = None,
    engine: Literal["local", "ray"] = "local",
    workers: int = 1,
    **recipe_fields: Any,
) -> AblationStudy:
    """Train variants of a network alike, each with several seeds, and compare their errors (Zeiler & Fergus 2014, table 3).

    Each variant and seed is a training by `dw.train` in a folder of its own. A seed decides the initial weights, the held-out photographs,
    the order, the crops and dropout, the same for all variants, so that differences are paired by seed. The error is that after the last
    epoch. The same call resumes a study that was stopped, killed or lost, and adds variants and seeds to it; an empty file `stop` in
    the folder stops it. Several seeds, deviations and intervals are ours; the paper trains each variant once.

    Parameters
    ----------
    specs : str, sequence of str, or mapping of str to str, callable, torch.nn.Module or ModelBundle
        What is compared, by name; the first one is the baseline.

        - "table3", "table3_layers", "table3_sizes", "first_layer": presets of the paper's variants;
        - names of networks, as for `dw.train`;
        - {name: network}: a name, a function of the number of classes, a module, or a bundle, such as one of `dw.surgery`. Modules and
          bundles are trained further from the weights that they have, by all seeds from the same ones.
    images : ImageSet, or any argument of `open_images`
        Labelled photographs.
    recipe : Recipe, optional
        How all variants are trained. An "auto" in it is decided once, for all of them.
    seeds : int or sequence of int
        A number of seeds, from the recipe's on, or the seeds.
    out : str or path
        The folder of the study.
    baseline : str, optional
        The variant that the others are compared to.
    validation : ImageSet, or any argument of `open_images`, optional
        Photographs to validate on. By default each seed holds out others.
    input_size : int, (height, width) or (channels, height, width), optional
        The size of the inputs, the same for all.
    overwrite : bool
        Whether all runs in the folder are deleted and trained again.
    device : str or torch.device
        "auto", "cpu", "cuda:1", ...
    progress : bool
        Whether to print.
    job : JobContext, optional
        Progress and cancellation.
    engine : {"local", "ray"}
        "ray" trains `workers` runs at a time, each with its share of the CPUs, or on a GPU of its own: on the cluster of Ray to which
        `ray.init` has connected this process, whose machines all see the folder under the same path, or on this machine.
    workers : int
        The number of runs at a time of "ray".
    **recipe_fields
        Fields of the recipe to change, such as ``epochs=20``.

    Returns
    -------
    AblationStudy
        The table, the runs and their networks. `dw.AblationPanel(study)` shows it.

    Raises
    ------
    AblationError
        If the variants cannot be trained alike, if the folder has another study, or if all runs failed. A run that fails beside others
        that do not is a warning.
    TrainingError
        If a variant cannot be trained on the images.
    JobCancelledError
        If the job is cancelled or the folder asks to stop. The state is saved.

    Examples
    --------
    >>> import tempfile, torch, deconvwidgets as dw
    >>> def small(classes, maps=8):
    ...     return torch.nn.Sequential(
    ...         torch.nn.Conv2d(3, maps, 5, stride=2), torch.nn.ReLU(), torch.nn.AdaptiveMaxPool2d(2), torch.nn.Flatten(),
    ...         torch.nn.Linear(maps * 4, classes),
    ...     )
    >>> images = dw.open_images("photo-crops").subset(range(24))
    >>> study = dw.run_ablation(
    ...     {"8 maps": small, "2 maps": lambda classes: small(classes, 2)}, images, seeds=2, out=tempfile.mkdtemp(),
    ...     input_size=24, epochs=1, progress=False,
    ... )
    >>> study
    AblationStudy(2 variants, 4 of 4 runs complete, in ...)
    >>> [(row.variant.name, row.variant.parameters, row.complete) for row in study.table.rows]
    [('8 maps', 707, 2), ('2 maps', 179, 2)]
    """
    one_of(engine, "engine", ("local", "ray"), AblationError)
    count = integer(workers, "workers", 1, error=AblationError)
    if engine == "local" and count != 1:
        raise AblationError(f"workers={count} is for engine='ray': runs in this process are trained one after the other.")
    plan = plan_study(
        specs,
        images,
        recipe,
        seeds,
        out,
        fields=recipe_fields,
        baseline=baseline,
        validation=validation,
        input_size=input_size,
        device=device,
        overwrite=overwrite,
    )
    return run_plan(plan, as_job(job), flag(progress, "progress", AblationError), engine, count)


def run_plan(
    plan: StudyPlan,
    job: JobContext,
    show: bool = False,
    engine: Literal["local", "ray"] = "local",
    workers: int = 1,
    overwritten: Callable[[], None] = lambda: None,
    warn: Callable[[str], None] = lambda message: warnings.warn(message, stacklevel=4),
) -> AblationStudy:
    """Train the runs of a plan that are not complete, and return the study.

    `overwritten` is called as soon as the runs of an earlier study are deleted, after which they need not be deleted again; `warn` with
    the message of each run that fails beside others that do not. Raises as `run_ablation`.
    """
    with locked_folder(plan.folder, LOCK_FILE, "study", AblationError):
        clear_stop(plan.folder)
        if plan.overwrite:
            delete_runs(plan.folder)  # all at once: a run that is left would count as one of the new study
            overwritten()
        write_study(plan.folder, plan.description)
        study = AblationStudy(plan.folder, plan.specs, plan.images)
        requests = _requests(plan, study, show)
        if engine == "ray":
            from deconvwidgets.instruments.ablation.compute.ray_runs import train_on_ray  # Ray is an extra

            failures = train_on_ray(requests, workers, job)
        else:
            failures = _train_here(requests, job)
    if failures and len(failures) == len(requests):
        raise AblationError(f"All runs failed: {failures[0]}")
    for message in failures:
        warn(message)
    return study


def _requests(plan: StudyPlan, study: AblationStudy, show: bool) -> list[RunRequest]:
    """Return the runs that are not complete, seed by seed: all variants have a first number early."""
    complete = {(run.variant, run.seed) for run in study.runs if run.complete}
    return [
        RunRequest(
            variant=entry.variant.name,
            architecture=entry.architecture,
            images=plan.images,
            validation=plan.validation,
            recipe=replace(plan.recipe, seed=seed),
            folder=run_folder(plan.folder, entry.variant.name, seed),
            study=plan.folder,
            input_size=entry.input_size,
            pretrained=entry.pretrained,
            device=plan.device,
            progress=show,
        )
        for seed in plan.seeds
        for entry in plan.variants
        if (entry.variant.name, seed) not in complete
    ]


def _train_here(requests: Sequence[RunRequest], job: JobContext) -> list[str]:
    """Train one run after the other, and return the messages of those that failed."""
    failures = []
    for request in requests:
        if job.cancelled() or stop_requested(request.study):
            raise JobCancelledError(STOPPED)
        message = train_one(request, job)
        if message is not None:
            failures.append(message)
    return failures
