"""What is known of an ablation study: its variants, the training of each with each seed, and how they compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deconvwidgets.instruments.training.records import Phase
from deconvwidgets.records.progress import Progress
from deconvwidgets.records.repr import compact_repr

Origin = Literal["random weights", "given weights"]
RunPhase = Phase | Literal["complete"]
StudyPhase = Literal["new", "running", "stopping", "complete", "incomplete"]
AblationFile = Literal[
    "ablation.csv", "ablation-runs.csv", "ablation.json", "ablation.png", "ablation.svg", "ablation.pdf", "ablation.html"
]


@dataclass(frozen=True, slots=True)
class PaperErrors:
    """Errors that Zeiler & Fergus 2014, table 3, give for ImageNet, as shares from 0 to 1.

    Attributes
    ----------
    train_top1, top1, top5 : float
        The top-1 error on training images, and the top-1 and top-5 errors on validation images.
    baseline_top1 : float
        The validation top-1 error of the network that the paper changed: its replication of Krizhevsky et al. 2012, or ZFNet.
    baseline : str
        The name of that network.
    """

    train_top1: float
    top1: float
    top5: float
    baseline_top1: float
    baseline: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One variant of the network.

    Attributes
    ----------
    name : str
        Its name, which is also that of its folder.
    description : str
        What it is, in words.
    origin : {"random weights", "given weights"}
        Whether training starts from random weights, or from those of a module or a bundle.
    architecture : str or None
        The name that builds it; None for a module, a function or a bundle.
    parameters : int
        The number of its parameters.
    surgery : tuple of str
        The operations of `dw.surgery` that made the bundle, in words.
    paper : PaperErrors or None
        What the paper found.
    """

    name: str
    description: str = ""
    origin: Origin = "random weights"
    architecture: str | None = None
    parameters: int = 0
    surgery: tuple[str, ...] = ()
    paper: PaperErrors | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AblationRun:
    """The training of a variant with a seed. Errors are shares from 0 to 1; None: not measured.

    Attributes
    ----------
    variant, seed : str and int
        Which.
    folder : str
        The folder of its training.
    phase : str
        That of the training, or "complete": trained for all epochs of the study, and measured.
    epoch, epochs : int
        The completed epochs, and those of the study.
    train_error : float or None
        The top-1 error on the training photographs after the last epoch, in evaluation mode, on their central crops. Only of complete runs.
    top1_error, top5_error : float or None
        The errors on the validation photographs after the last completed epoch. With at most five classes, there is no top-5 error.
    images_per_second : float or None
        Training images per second, the median over the epochs.
    message : str
        Why it failed, in words.
    curve : tuple of (int, float or None, float or None)
        (epoch, top-1 error on the training photographs as they were trained on, with dropout and random crops; validation top-1 error).
    """

    variant: str
    seed: int
    folder: str
    phase: RunPhase
    epoch: int = 0
    epochs: int = 0
    train_error: float | None = None
    top1_error: float | None = None
    top5_error: float | None = None
    images_per_second: float | None = None
    message: str = ""
    curve: tuple[tuple[int, float | None, float | None], ...] = ()

    __repr__ = compact_repr

    @property
    def complete(self) -> bool:
        """Whether it is trained for all epochs of the study, and measured."""
        return self.phase == "complete"


@dataclass(frozen=True, slots=True)
class Estimate:
    """Mean and sample standard deviation (n - 1) over the complete runs of a variant; `std` is None for fewer than two."""

    mean: float
    std: float | None
    count: int


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean difference of a variant to the baseline, paired by seed, with its confidence interval.

    Attributes
    ----------
    mean : float
        Variant minus baseline.
    interval : (float, float) or None
        The 95% interval by Student's t over the seeds of both. None for fewer than two seeds, and if all seeds differ equally.
    count : int
        The number of seeds with complete runs of both.
    """

    mean: float
    interval: tuple[float, float] | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AblationRow:
    """A variant with its runs. None: no run is complete, or it was not measured.

    Attributes
    ----------
    variant : Variant
        The variant.
    runs : tuple of AblationRun
        In the order of the seeds.
    train_error, top1_error, top5_error, images_per_second : Estimate or None
        Over the complete runs.
    train_difference, top1_difference, top5_difference : Difference or None
        To the baseline; None for the baseline itself.
    """

    variant: Variant
    runs: tuple[AblationRun, ...]
    train_error: Estimate | None = None
    top1_error: Estimate | None = None
    top5_error: Estimate | None = None
    images_per_second: Estimate | None = None
    train_difference: Difference | None = None
    top1_difference: Difference | None = None
    top5_difference: Difference | None = None

    __repr__ = compact_repr

    @property
    def complete(self) -> int:
        """The number of complete runs."""
        return sum(run.complete for run in self.runs)


@dataclass(frozen=True, slots=True, kw_only=True)
class AblationTable:
    """An ablation study as it stands.

    Attributes
    ----------
    folder : str
        Its folder.
    images : str
        The name of the image set.
    classes : int
        The number of classes.
    training, validation : int
        The numbers of photographs.
    input_size : tuple of (int, int, int)
        (channels, height, width).
    epochs : int
        The epochs of each run.
    seeds : tuple of int
        The seeds.
    baseline : str
        The variant that the others are compared to.
    rows : tuple of AblationRow
        By variant.
    notes : tuple of str
        What to know when the numbers are read.
    """

    folder: str
    images: str = ""
    classes: int = 0
    training: int = 0
    validation: int = 0
    input_size: tuple[int, int, int] = (3, 224, 224)
    epochs: int = 0
    seeds: tuple[int, ...] = ()
    baseline: str = ""
    rows: tuple[AblationRow, ...] = ()
    notes: tuple[str, ...] = ()

    __repr__ = compact_repr

    @property
    def complete(self) -> int:
        """The number of complete runs."""
        return sum(row.complete for row in self.rows)

    @property
    def planned(self) -> int:
        """The number of all runs."""
        return len(self.rows) * len(self.seeds)

    def row(self, variant: str) -> AblationRow | None:
        """Return the row of a variant; None if there is none."""
        return next((row for row in self.rows if row.variant.name == variant), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AblationStatus:
    """The state of a study for its panel.

    Attributes
    ----------
    phase : {"new", "running", "stopping", "complete", "incomplete"}
        "running": a run is trained now, here or elsewhere.
    table : AblationTable
        The numbers.
    message : str
        What is wrong, or what to know, in words.
    can_start, can_cancel : bool
        Whether `start` (which also resumes) and `cancel` are possible.
    recipe : tuple of (str, str)
        The parts of the recipe, in words.
    explorable : bool
        Whether the images are known, so that a variant can be shown in a LayerExplorer.
    progress : Progress or None
        Of the run that is trained by this service.
    """

    phase: StudyPhase
    table: AblationTable
    message: str = ""
    can_start: bool = False
    can_cancel: bool = False
    recipe: tuple[tuple[str, str], ...] = ()
    explorable: bool = False
    progress: Progress | None = None
