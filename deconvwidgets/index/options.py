"""The options of building an activation index, in one record."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, TypedDict

from deconvwidgets.arguments import describe, flag, integer, one_of, positive_number
from deconvwidgets.errors import ActivationIndexError
from deconvwidgets.paths import as_path

Precision = Literal["fp32", "tf32", "bf16"]
MemoryFormat = Literal["auto", "contiguous", "channels_last"]
Setting = int | bool | str | None

PRECISIONS = ("fp32", "tf32", "bf16")
MEMORY_FORMATS = ("auto", "contiguous", "channels_last")
MAX_K = 1 << 20  # activations per unit
MAX_SAMPLES = 1 << 20
MAX_WORKERS = 1 << 12
MAX_BATCH = 1 << 20
_AUTO = "auto"
# The fields that decide what an index contains. The others decide how fast it is built, and where.
DECISIVE = ("k", "per_source", "negative", "samples", "per_class", "seed", "precision", "memory_format", "scaled_jpeg")


class IndexSettings(TypedDict, total=False):
    """The fields of `IndexOptions` as keyword arguments."""

    k: int
    per_source: int | None
    negative: bool
    samples: int
    per_class: int
    seed: int
    precision: Precision
    memory_format: MemoryFormat
    scaled_jpeg: bool
    batch_size: int | Literal["auto"]
    workers: int | Literal["auto"]
    decoded_cache: str | Path | None
    commit_seconds: float


@dataclass(frozen=True, kw_only=True)
class IndexOptions:
    """How an activation index is built. Picklable and immutable; checked when it is made.

    `k`, `per_source`, `negative`, `samples`, `per_class`, `seed`, `precision`, `memory_format` and `scaled_jpeg` decide what the index
    contains, so they belong to its identity. The others do not change it.

    Parameters
    ----------
    k : int
        Number of activations kept per unit.
    per_source : int or None
        Number of activations kept per unit and photograph; None for no limit. Photographs with the same content count as one.
    negative : bool
        Also keep the `k` most negative activations of each unit, before its rectifier or other activation function.
    samples : int
        Number of crops, chosen at random, in which the strongest activation and its position are kept for every unit; 0 for none. Fewer
        if the image set has fewer different crops.
    per_class : int
        Number of activations kept per unit and class of the data set; 0 for none.
    seed : int
        Seed of the choice of the samples.
    precision : {"fp32", "tf32", "bf16"}
        The arithmetic of the model: float32; float32 with TensorFloat-32 products (CUDA only); automatic mixed precision with bfloat16.
    memory_format : {"auto", "contiguous", "channels_last"}
        The memory format of the maps. "auto" chooses by a rule, not by timing, because the last bits of activations may depend on it.
    scaled_jpeg : bool
        Decode large JPEG files at a reduced size, which is faster and changes the pixels.
    batch_size : int or "auto"
        Number of crops in a batch.
    workers : int or "auto"
        Number of decoding workers; 0 decodes in the thread that calls.
    decoded_cache : str or Path, optional
        A folder for the decoded pixels, from which a second pass or model reads them. It keeps groups of 256 consecutive crops; a group
        with a photograph that cannot be read is decoded again by each pass.
    commit_seconds : float
        Seconds between two commits of the index so far, if it is built to a file.

    Raises
    ------
    ActivationIndexError
        For an invalid value.

    Examples
    --------
    >>> from deconvwidgets.index.options import IndexOptions
    >>> options = IndexOptions(k=36, workers=4)
    >>> options.decisive()["k"]
    36
    """

    k: int = 9
    per_source: int | None = 1
    negative: bool = True
    samples: int = 256
    per_class: int = 0
    seed: int = 0
    precision: Precision = "fp32"
    memory_format: MemoryFormat = "auto"
    scaled_jpeg: bool = False
    batch_size: int | Literal["auto"] = "auto"
    workers: int | Literal["auto"] = "auto"
    decoded_cache: Path | None = None
    commit_seconds: float = 5.0

    def __post_init__(self) -> None:
        error = ActivationIndexError
        self._set("k", integer(self.k, "k", 1, MAX_K, error))
        self._set("per_source", None if self.per_source is None else integer(self.per_source, "per_source", 1, error=error))
        self._set("samples", integer(self.samples, "samples", 0, MAX_SAMPLES, error))
        self._set("per_class", integer(self.per_class, "per_class", 0, MAX_K, error))
        self._set("seed", integer(self.seed, "seed", 0, error=error))
        self._set("batch_size", _or_auto(self.batch_size, "batch_size", 1, MAX_BATCH))
        self._set("workers", _or_auto(self.workers, "workers", 0, MAX_WORKERS))
        for name in ("negative", "scaled_jpeg"):
            self._set(name, flag(getattr(self, name), name, error))
        one_of(self.precision, "precision", PRECISIONS, error)
        one_of(self.memory_format, "memory_format", MEMORY_FORMATS, error)
        self._set("commit_seconds", positive_number(self.commit_seconds, "commit_seconds", error))
        self._set("decoded_cache", None if self.decoded_cache is None else as_path(self.decoded_cache, "decoded_cache", error))

    @classmethod
    def of(cls, options: IndexOptions | None = None, **settings: Any) -> IndexOptions:
        """Return options, by default the usual ones, with some fields replaced. Raises ActivationIndexError for anything else."""
        if options is not None and not isinstance(options, IndexOptions):
            raise ActivationIndexError(f"options must be an IndexOptions, not {describe(options)}. Single settings are keywords: k=9")
        known = [field.name for field in fields(cls)]
        unknown = [name for name in settings if name not in known]
        if unknown:
            raise ActivationIndexError(f"There is no option {unknown[0]!r}. The options are {', '.join(known)}")
        return replace(cls() if options is None else options, **settings)

    def decisive(self) -> dict[str, Setting]:
        """Return the fields that decide what the index contains, by name, as plain values."""
        return {name: getattr(self, name) for name in DECISIVE}

    def only_decisive(self) -> IndexOptions:
        """Return the options with the default for every field that does not decide what the index contains."""
        return IndexOptions(**self.decisive())  # type: ignore[arg-type]

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)


def _or_auto(value: object, name: str, low: int, high: int) -> int | Literal["auto"]:
    if isinstance(value, str):
        if value != _AUTO:
            raise ActivationIndexError(f"{name} must be an integer or 'auto', not {describe(value)}.")
        return "auto"
    return integer(value, name, low, high, ActivationIndexError)
