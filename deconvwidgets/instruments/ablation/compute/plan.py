"""What a call of `run_ablation` amounts to: the checked variants, the recipe that all have, and the description of the study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from deconvwidgets.arguments import as_integer, describe, flag, integer, integers
from deconvwidgets.errors import AblationError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.images.open import open_images
from deconvwidgets.instruments.ablation.compute.study_file import StudyDescription, read_study
from deconvwidgets.instruments.ablation.compute.study_reader import StudyReader
from deconvwidgets.instruments.ablation.compute.variants import (
    Spec,
    Specs,
    TrainedVariant,
    build_variant,
    check_alike,
    specs_by_name,
)
from deconvwidgets.instruments.ablation.records import Variant
from deconvwidgets.instruments.training.compute.folder import checked_folder
from deconvwidgets.instruments.training.compute.function_names import function_code, function_name, is_same_code
from deconvwidgets.instruments.training.compute.recipe import CHANGEABLE, Recipe, recipe_with
from deconvwidgets.instruments.training.compute.training_images import TrainingImages, training_images
from deconvwidgets.models.devices import checked_device

_MAX_SEEDS = 1000
_CODE = {"schedule_code": "schedule", "optimizer_code": "optimizer"}  # studies of earlier versions do not have them


@dataclass(frozen=True, kw_only=True)
class StudyPlan:
    """The arguments of `run_ablation`, checked.

    Attributes
    ----------
    specs : mapping
        What builds each variant.
    variants : tuple of TrainedVariant
        Those that are trained.
    images, validation : ImageSet, and ImageSet or None
        The images.
    recipe : Recipe
        That of all variants, without "auto"; its seed is replaced in each run.
    seeds : tuple of int
        The seeds.
    folder : Path
        The folder of the study.
    description : StudyDescription
        What is written there, with the variants and seeds of earlier calls.
    device : str or torch.device
        Where to train.
    overwrite : bool
        Whether earlier trainings are deleted.
    """

    specs: Mapping[str, Spec]
    variants: tuple[TrainedVariant, ...]
    images: ImageSet
    validation: ImageSet | None
    recipe: Recipe
    seeds: tuple[int, ...]
    folder: Path
    description: StudyDescription
    device: str | torch.device = "auto"
    overwrite: bool = False

    def only(self, names: Sequence[str]) -> StudyPlan:
        """Return the plan with some of its variants. Raises AblationError for an unknown name, and for none."""
        known = {entry.variant.name: entry for entry in self.variants}
        unknown = [name for name in names if name not in known]
        if unknown or not names:
            raise AblationError(f"Choose among the variants {', '.join(known)}" + (f"; there is no {unknown[0]!r}." if unknown else "."))
        return replace(self, variants=tuple(entry for name, entry in known.items() if name in names))


def plan_study(
    specs: Specs,
    images: object,
    recipe: Recipe | None,
    seeds: int | Sequence[int],
    out: object,
    *,
    fields: Mapping[str, Any],
    baseline: str | None = None,
    validation: object = None,
    input_size: object = None,
    device: str | torch.device = "auto",
    overwrite: bool = False,
) -> StudyPlan:
    """Check everything that can be checked before training, and return the plan. Nothing is written but the folder.

    Raises
    ------
    AblationError
        If the variants cannot be trained alike, or the folder has another study.
    TrainingError
        If one of them cannot be trained on the images.
    """
    checked_device(device)
    chosen, given = recipe_with(recipe, fields), specs_by_name(specs)
    if baseline is not None and not (isinstance(baseline, str) and baseline in given):
        raise AblationError(f"baseline must be one of the variants, {', '.join(given)}, not {describe(baseline)}.")
    numbers = checked_seeds(seeds, chosen.seed)
    folder = checked_folder(out)
    found = training_images(images, validation, chosen.validation_share, numbers[0])
    if found.validation is None or not len(found.validation):
        raise AblationError("An ablation study compares validation errors: pass validation=..., or a validation_share greater than 0.")
    variants = tuple(build_variant(name, spec, found.categories, input_size, numbers[0]) for name, spec in given.items())
    check_alike(variants)
    resolved, notes = _resolved(chosen, variants)
    description = _described(variants, found, resolved, numbers, baseline or next(iter(given)), notes)
    earlier = None if flag(overwrite, "overwrite", AblationError) else read_study(folder)
    return StudyPlan(
        specs=given,
        variants=variants,
        images=open_images(images),
        validation=None if validation is None else open_images(validation),
        recipe=resolved,
        seeds=numbers,
        folder=folder,
        description=description if earlier is None else _joined(earlier, description, folder, baseline),
        device=device,
        overwrite=overwrite,
    )


def _described(
    variants: Sequence[TrainedVariant], found: TrainingImages, recipe: Recipe, seeds: tuple[int, ...], baseline: str, notes: tuple[str, ...]
) -> StudyDescription:
    plain = recipe.to_plain()
    if recipe.optimizer is not None:
        plain |= {"optimizer": function_name(recipe.optimizer), "optimizer_code": function_code(recipe.optimizer)}
    return StudyDescription(
        variants=tuple(entry.variant for entry in variants),
        baseline=baseline,
        seeds=seeds,
        epochs=recipe.epochs,
        recipe={name: value for name, value in plain.items() if name != "seed"},
        images=found.name,
        digests=(found.digest, found.validation_digest),
        classes=found.categories,
        training=len(found.train),
        validation=len(found.validation or ()),
        input_size=variants[0].input_size,
        notes=notes,
        networks={entry.variant.name: entry.digest for entry in variants},
    )


def checked_seeds(seeds: object, first: int) -> tuple[int, ...]:
    """Return the seeds: `seeds` of them from `first` on, or those of a sequence. Raises AblationError for anything else."""
    if as_integer(seeds) is not None:
        number = integer(seeds, "seeds", 1, _MAX_SEEDS, AblationError)
        return tuple(range(first, first + number))
    expected = "a number of seeds, or a sequence of different seeds such as [0, 1, 2]"
    found = integers(seeds, "seeds", expected, 0, error=AblationError)
    if not found or len(set(found)) < len(found):
        raise AblationError(f"seeds must be {expected}.")
    return tuple(found)


def _resolved(recipe: Recipe, variants: Sequence[TrainedVariant]) -> tuple[Recipe, tuple[str, ...]]:
    """Return the recipe without "auto", the same for all variants, and what to note about that."""
    given = [entry.variant.name for entry in variants if entry.pretrained]
    of_paper = all(entry.of_paper for entry in variants) and not given
    resolved = recipe.resolved(of_paper)
    if given and resolved.initial_std is not None:
        raise AblationError(
            f"initial_std={recipe.initial_std!r} would replace the weights of {', '.join(given)}: pass initial_std=None, or leave it out."
        )
    some = any(entry.of_paper and not entry.pretrained for entry in variants) and not of_paper
    if some and "auto" in (recipe.initial_std, recipe.max_filter_rms):
        return resolved, (
            "Not all variants are networks of the paper, so that none has the paper's initial weights and limit of filters: each "
            "starts from its own initial weights. initial_std and max_filter_rms set them for all.",
        )
    return resolved, ()


def _joined(earlier: StudyDescription, now: StudyDescription, folder: Path, baseline: str | None) -> StudyDescription:
    """Return the description of a study that goes on, with the variants and seeds of both calls.

    Raises
    ------
    AblationError
        If it was another study: its runs could not be compared with those of this one.
    """
    way = "Choose another folder, or pass overwrite=True to train all again."
    for name, word in (("digests", "images"), ("classes", "classes"), ("input_size", "input_size")):
        if getattr(earlier, name) != getattr(now, name):
            raise AblationError(f"{folder} has a study with other {word}. {way}")
    before, after = (_fixed(description) for description in (earlier, now))
    code = next((name for name in _CODE if not is_same_code(before.pop(name, None), after.pop(name, None))), None)
    changed = next((name for name in after if before.get(name) != after[name]), None)
    if changed is None and code is not None:
        raise AblationError(f"{folder} has a study with another {_CODE[code]} (a function of the same name with other code). {way}")
    if changed is not None:
        raise AblationError(
            f"{folder} has a study with {changed}={before.get(changed)!r}, and this one has {after[changed]!r}: all variants need the same "
            f"recipe. {way}"
        )
    variants = {variant.name: variant for variant in earlier.variants}
    for variant in now.variants:
        known = variants.get(variant.name)
        if known is not None and not _is_same(earlier, now, known, variant):
            raise AblationError(
                f"{folder} has another network {variant.name!r} (its layers, their settings or the given weights differ): use another name "
                "or folder, or pass overwrite=True to train all again."
            )
        variants[variant.name] = variant
    _check_epochs(earlier, now, folder)
    kept = earlier.baseline if baseline is None else now.baseline
    networks = {**earlier.networks, **now.networks}
    return replace(
        now, variants=tuple(variants.values()), seeds=tuple(sorted({*earlier.seeds, *now.seeds})), baseline=kept, networks=networks
    )


def _check_epochs(earlier: StudyDescription, now: StudyDescription, folder: Path) -> None:
    """Raise AblationError if a run has more epochs than are asked for: it could not be compared with the others."""
    if now.epochs >= earlier.epochs:
        return
    longest = max(StudyReader(folder).runs(earlier), key=lambda run: run.epoch)
    if longest.epoch > now.epochs:
        raise AblationError(
            f"{folder} has a run of {longest.epoch} epochs already ({longest.variant}, seed {longest.seed}), more than "
            f"epochs={now.epochs}: pass epochs={longest.epoch} or more, choose another folder, or pass overwrite=True to train all again."
        )


def _fixed(description: StudyDescription) -> dict[str, Any]:
    return {name: value for name, value in description.recipe.items() if name not in CHANGEABLE}


def _is_same(earlier: StudyDescription, now: StudyDescription, known: Variant, variant: Variant) -> bool:
    before, after = earlier.networks.get(known.name, "").split(), now.networks[variant.name].split()
    return _built(known) == _built(variant) and all(one == other for one, other in zip(before, after, strict=False))


def _built(variant: Variant) -> tuple[object, ...]:
    return variant.origin, variant.architecture, variant.parameters, variant.surgery
