"""`AblationStudy`: a study in its folder, whoever trains there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deconvwidgets.arguments import describe, integer, text
from deconvwidgets.checkpoints.checkpoint_set import Checkpoints
from deconvwidgets.checkpoints.open import open_checkpoints
from deconvwidgets.errors import AblationError
from deconvwidgets.images.empty_classes import without_empty_classes
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.images.open import open_images
from deconvwidgets.instruments.ablation.compute.presets import architecture_of
from deconvwidgets.instruments.ablation.compute.shipped import SHIPPED
from deconvwidgets.instruments.ablation.compute.study_file import StudyDescription, read_study, run_folder
from deconvwidgets.instruments.ablation.compute.study_reader import StudyReader
from deconvwidgets.instruments.ablation.compute.variants import Spec, check_spec, is_recorded
from deconvwidgets.instruments.ablation.records import AblationRun, AblationTable, Variant
from deconvwidgets.instruments.ablation.table import to_csv, to_dataframe
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.paths import as_path
from deconvwidgets.records.training_log import TrainingLog

if TYPE_CHECKING:
    import pandas as pd


class AblationStudy:
    """An ablation study in its folder: the runs so far, their table, and the trained networks.

    It is read whenever it is asked, so it also shows a study that is trained elsewhere.

    Source: Zeiler & Fergus 2014, table 3; seeds, deviations and intervals are ours.

    Parameters
    ----------
    folder : str or path
        The folder of a study, `out` of `run_ablation`; or "first-layer", the study that comes with the package: a small network whose first
        layer is 11 x 11 at stride 4, and the same with 7 x 7 at stride 2, both trained further on 14 classes of Caltech-101.
    build : mapping of str to callable, torch.nn.Module or ModelBundle, optional
        What builds the variants that have no name of their own, as they were given to `run_ablation`. Only their networks need it, not
        the table.
    images : ImageSet, or any argument of `open_images`, optional
        The images of the study, which a LayerExplorer of a variant shows.

    Raises
    ------
    AblationError
        If there is no study in the folder, or if it is damaged.

    Examples
    --------
    >>> study = AblationStudy("runs/none")
    Traceback (most recent call last):
        ...
    deconvwidgets.errors.AblationError: There is no study in the folder runs/none: ...
    """

    def __init__(self, folder: str | os.PathLike[str], build: Mapping[str, Spec] | None = None, images: object = None) -> None:
        given = SHIPPED.get(folder, folder) if isinstance(folder, str) else folder
        self._folder = as_path(given, "folder", AblationError)
        if build is not None and not isinstance(build, Mapping):
            raise AblationError(f"build must be a dict of what builds each variant, by name, not {describe(build)}.")
        self._build = dict(build or {})
        for name, spec in self._build.items():
            check_spec(spec, f"build[{name!r}]")
        self._images: ImageSet | None = None if images is None else open_images(images)
        self._reader = StudyReader(self._folder)
        self._same: set[str] = set()  # variants whose networks have been compared with those of the study
        self._require()
        self._check_images()

    @property
    def folder(self) -> Path:
        """The folder of the study."""
        return self._folder

    @property
    def description(self) -> StudyDescription:
        """What is compared with what, and how it is trained."""
        return self._require()

    @property
    def images(self) -> ImageSet | None:
        """The images, if they were given."""
        return self._images

    @property
    def variants(self) -> tuple[Variant, ...]:
        """The variants."""
        return self.description.variants

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds."""
        return self.description.seeds

    @property
    def table(self) -> AblationTable:
        """The numbers as they stand."""
        return self._reader.table(self.description)

    @property
    def runs(self) -> tuple[AblationRun, ...]:
        """All runs, by variant and seed."""
        return self._reader.runs(self.description)

    def log(self, variant: str, seed: int | None = None) -> TrainingLog:
        """Return the log of a run. Arguments and errors as for `checkpoints`, without checkpoints."""
        return self._reader.read(self._run(variant, seed)).log

    def checkpoints(self, variant: str, seed: int | None = None) -> Checkpoints:
        """Return the checkpoints of a run, for an EvolutionExplorer.

        Parameters
        ----------
        variant : str
            The name of the variant.
        seed : int, optional
            The seed; by default the first one that is complete, or that has checkpoints.

        Raises
        ------
        AblationError
            If there is no such run or no checkpoint yet, or if `build` is needed to build the network, or builds another one.
        """
        folder = self._run(variant, seed)
        if not self._reader.read(folder).checkpoints:
            raise AblationError(f"There are no checkpoints in {folder} yet.")
        return open_checkpoints(folder, self._builder(variant))

    def bundle(self, variant: str, seed: int | None = None) -> ModelBundle:
        """Return the network of a run after its last kept epoch. Arguments and errors as for `checkpoints`."""
        found = self.checkpoints(variant, seed)
        return found.bundle(found.epochs[-1])

    def to_dataframe(self) -> pd.DataFrame:
        """Return a row per variant as a DataFrame: means, deviations, and differences to the baseline. Needs pandas.

        Raises
        ------
        AblationError
            If pandas is not installed.
        """
        return to_dataframe(self.table)

    def to_csv(self) -> bytes:
        """Return the table of `to_dataframe` as the bytes of a CSV file; it does not need pandas."""
        return to_csv(self.table)

    def service(self, variant: str, seed: int | None = None) -> Any:
        """Return a new LocalModelService of a run's network on the images of the study, for a LayerExplorer.

        Raises
        ------
        AblationError
            As for `checkpoints`, and if the study was opened without images.
        """
        if self._images is None:
            raise AblationError(f"The study was opened without its images: dw.AblationStudy({str(self._folder)!r}, images=...).")
        return import_module("deconvwidgets").LocalModelService(self.bundle(variant, seed), self._images)

    def __repr__(self) -> str:
        table = self.table
        return f"AblationStudy({len(table.rows)} variants, {table.complete} of {table.planned} runs complete, in {table.folder})"

    def _require(self) -> StudyDescription:
        found = read_study(self._folder)
        if found is None:
            raise AblationError(
                f"There is no study in the folder {self._folder}: dw.run_ablation(specs, images, out={str(self._folder)!r}) makes one."
            )
        return found

    def _check_images(self) -> None:
        """Raise AblationError for other images than those of the study: the numbers would not be theirs."""
        expected = self.description.digests[0]
        if self._images is not None and expected is not None and without_empty_classes(self._images).digest != expected:
            raise AblationError(f"images are not those of the study in {self._folder}, {self.description.images}.")

    def _run(self, variant: str, seed: int | None) -> Path:
        found, name = self.description, text(variant, "variant", "the name of a variant", AblationError)
        names = [entry.name for entry in found.variants]
        if name not in names:
            raise AblationError(f"There is no variant {name!r} in {self._folder}: they are {', '.join(names)}.")
        if seed is None:
            runs = [run for run in self._reader.runs(found) if run.variant == name]
            chosen = next((run for run in runs if run.complete), None) or max(runs, key=lambda run: run.epoch)
            return Path(chosen.folder)
        number = integer(seed, "seed", 0, error=AblationError)
        if number not in found.seeds:
            raise AblationError(f"There is no run with seed {number} in {self._folder}: the seeds are {', '.join(map(str, found.seeds))}.")
        return run_folder(self._folder, name, number)

    def _builder(self, name: str) -> Any:
        """Return the argument `build` of `open_checkpoints`; None where the folder of the run says it."""
        found = self.description
        variant = next(entry for entry in found.variants if entry.name == name)
        classes, given = len(found.classes), self._build.get(name)
        made: Any = given.model if isinstance(given, ModelBundle) else given
        if made is None and variant.architecture is not None:
            made = architecture_of(variant.architecture, found.input_size[1:])
        if isinstance(made, str):
            return None
        if made is None:
            raise AblationError(
                f"{name} was built by a function or was a network of your own: dw.AblationStudy({str(self._folder)!r}, "
                f"build={{{name!r}: ...}}) with what was given to dw.run_ablation opens it."
            )
        if given is not None:
            self._check_network(variant, made)
        return (lambda: made(classes)) if not hasattr(made, "state_dict") else made

    def _check_network(self, variant: Variant, made: Any) -> None:
        """Raise AblationError for another network than that of the study: the weights would not be its own."""
        found = self.description
        recorded, classes = found.networks.get(variant.name, ""), len(found.classes)
        if variant.name not in self._same and not is_recorded(recorded, made, variant, classes, found.input_size):
            raise AblationError(
                f"build[{variant.name!r}] is another network than that of the study in {self._folder} (its layers or their settings "
                "differ): give what was given to dw.run_ablation."
            )
        self._same.add(variant.name)
