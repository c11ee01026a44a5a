"""What to know when the numbers of an ablation study are read."""

from __future__ import annotations

from collections.abc import Sequence

from deconvwidgets.instruments.ablation.records import AblationRun, Variant


def notes_of(
    variants: Sequence[Variant], seeds: Sequence[int], runs: Sequence[AblationRun], notes: Sequence[str], own_validation: bool
) -> tuple[str, ...]:
    """Return messages about incomplete runs, few seeds and unequal starts, and after them the given notes."""
    found = [*_incomplete(runs), *notes]
    if len(seeds) == 1:
        found.append("One seed: there is no deviation, and no interval. Differences may be chance.")
    origins = {variant.origin for variant in variants}
    if len(origins) > 1:
        given = ", ".join(variant.name for variant in variants if variant.origin == "given weights")
        found.append(f"Training starts from given weights in {given}, and from random weights in the others: differences are of both.")
    if not own_validation:
        found.append("The seed also decides which photographs are held out: the deviation over seeds contains that.")
    if not own_validation and "given weights" in origins:
        found.append(
            "Each seed holds out other photographs: networks that were trained on these images before have seen those that they are "
            "validated on, and the errors are too low. Then pass validation=..., photographs that they were not trained on."
        )
    return tuple(found)


def _incomplete(runs: Sequence[AblationRun]) -> list[str]:
    begun = [run for run in runs if run.epoch and not run.complete]
    failed = [f"{run.variant}, seed {run.seed}" for run in runs if run.phase == "failed"]
    found = []
    if begun:
        found.append(f"{len(begun)} of {len(runs)} runs are begun and not complete; means and differences are without them.")
    if failed:
        found.append(f"Failed: {'; '.join(failed)}.")
    return found
