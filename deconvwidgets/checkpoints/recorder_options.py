"""The options of a recorder, checked before there is a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from torch import nn

from deconvwidgets.arguments import describe, flag
from deconvwidgets.checkpoints.description import TrainingDescription
from deconvwidgets.checkpoints.epochs import checked_epochs
from deconvwidgets.engine.input_kind import checked_size
from deconvwidgets.errors import CheckpointError
from deconvwidgets.models.bundle_checks import checked_categories, checked_name
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.models.transforms import Transform, checked_transform, transform_and_size
from deconvwidgets.paths import as_path


@dataclass(frozen=True, slots=True, kw_only=True)
class RecorderOptions:
    """The arguments of `CheckpointRecorder` but for the model."""

    folder: Path
    epochs: list[int] | None
    transform: Transform | None
    categories: Sequence[str] | None
    input_size: tuple[int, int, int] | None
    name: str | None
    initial: bool
    pretrained: bool
    resume: bool
    overwrite: bool

    @classmethod
    def of(cls, folder: object, options: Mapping[str, Any]) -> RecorderOptions:
        """Return the options of keyword arguments, with defaults for those that are missing. Raises CheckpointError or ModelError."""
        names = [field.name for field in fields(cls) if field.name != "folder"]
        unknown = next((name for name in options if name not in names), None)
        if unknown is not None:
            raise CheckpointError(f"There is no option {unknown!r}: choose among {', '.join(names)}.")
        epochs, size, name = options.get("epochs"), options.get("input_size"), options.get("name")
        return cls(
            folder=as_path(folder, "folder", CheckpointError),
            epochs=None if epochs is None else checked_epochs(epochs),
            transform=checked_transform(options.get("transform")),
            categories=checked_categories(options.get("categories")),
            input_size=None if size is None else checked_size(size),
            name=None if name is None else checked_name(name, ""),
            initial=flag(options.get("initial", True), "initial", CheckpointError),
            pretrained=flag(options.get("pretrained", False), "pretrained", CheckpointError),
            resume=flag(options.get("resume", False), "resume", CheckpointError),
            overwrite=flag(options.get("overwrite", False), "overwrite", CheckpointError),
        )

    def resumed(self) -> RecorderOptions:
        """Return the options for a training that is resumed: what the model is now, it was not before training."""
        return replace(self, resume=not self.overwrite, initial=False)

    def describe(self, model: nn.Module) -> TrainingDescription:
        """Return the description of the recording of a model. Raises ModelError if transform and input size do not fit."""
        prepare, size, _ = transform_and_size(self.transform, self.input_size)
        known = prepare if self.transform is not None and isinstance(prepare, Preprocess) else None
        return TrainingDescription(
            name=checked_name(self.name, type(model).__name__),
            pretrained=self.pretrained,
            categories=checked_categories(self.categories),
            input_size=size if self.transform is not None or self.input_size is not None else None,
            transform=known,
            other_transform=describe(self.transform) if self.transform is not None and known is None else None,
        )
