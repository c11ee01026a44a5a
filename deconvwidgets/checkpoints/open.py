"""`open_checkpoints` opens the checkpoints of a training, whatever library wrote them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from deconvwidgets.arguments import describe, flag
from deconvwidgets.checkpoints.checkpoint_set import Checkpoints
from deconvwidgets.checkpoints.description import TrainingDescription, read_description
from deconvwidgets.checkpoints.found_files import FileSource, Scan, given_epochs, numbered, scan, unit_of, without_copies
from deconvwidgets.checkpoints.model_series import Build, ModelSeries, SeriesOptions, checked_build
from deconvwidgets.checkpoints.order_of_names import check_order
from deconvwidgets.checkpoints.shipped import SHIPPED
from deconvwidgets.checkpoints.source_description import description_of, recording_of
from deconvwidgets.checkpoints.state_file import FILE_TYPES, Unit
from deconvwidgets.engine.input_kind import checked_size
from deconvwidgets.errors import CheckpointError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.bundle_checks import checked_categories, checked_name
from deconvwidgets.models.transforms import Transform, checked_transform

_OF_A_BUNDLE = ("transform", "categories", "input_size")  # arguments that a ModelBundle as `build` has of its own


def open_checkpoints(
    source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    build: Build | None = None,
    *,
    transform: Transform | None = None,
    categories: Sequence[str] | None = None,
    input_size: tuple[int, int, int] | None = None,
    name: str | None = None,
    epochs: Sequence[int] | None = None,
    pretrained: bool | None = None,
    prefix: str | None = None,
) -> Checkpoints:
    """Open the checkpoints of a training.

    Files of `train`, `CheckpointRecorder`, PyTorch (.pth, .pt, .safetensors; also under an entry "state_dict", "model_state_dict" or
    "model"), PyTorch Lightning (.ckpt) and Hugging Face's Trainer (folders checkpoint-500) are read, without running code in them. The
    names that torch.compile and DataParallel insert are removed, and a prefix such as "model." is found by comparing the names with the
    model's.

    Parameters
    ----------
    source : str, path, or a sequence of them
        The folder of a training, or files, of which those that deconvwidgets wrote are described by the training.json beside them; or
        "caltech14", the checkpoints that come with the package: a network of 117,000 parameters that was trained on 14 classes of
        Caltech-101 at 64 x 64 pixels.
    build : str, callable, torch.nn.Module or ModelBundle, optional
        The model that was trained: a name of `load_model`, a function without arguments that returns it, the model itself, which is not
        changed, or a bundle. Folders that `train` wrote and checkpoints of Hugging Face's Trainer need none.
    transform, categories, input_size
        As for `ModelBundle.from_module`. By default what training.json says, and else the default of the architecture.
    name : str, optional
        The name of the model.
    epochs : sequence of int, optional
        The completed epochs of each file, in the order of the files (of a folder: in the order of their names, in which m10.pth stands
        before m2.pth; epochs against the numbers in the names are refused), 0 for the model before training. By default what the files
        tell, by their entries or their names.
    pretrained : bool, optional
        Whether the weights at epoch 0 are trained, as in fine-tuning. By default what training.json says, and else that they are random.
    prefix : str, optional
        The prefix of the model's tensors, such as "model.", where a file has the model several times.

    Returns
    -------
    Checkpoints
        They are read when they are asked for. A file that cannot be read is left out with a warning, and listed in `unreadable`.

    Raises
    ------
    CheckpointError
        If there are no checkpoints, none can be read, the epochs are unknown or contradictory, `build` is missing, or the files are of
        several trainings that were prepared differently.

    Examples
    --------
    >>> import tempfile, torch
    >>> from torch import nn
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 5), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 28 * 28, 2))
    >>> folder = tempfile.mkdtemp()
    >>> for epoch in (10, 9):
    ...     torch.save({"epoch": epoch, "state_dict": net.state_dict()}, f"{folder}/net{epoch}.pth")
    >>> checkpoints = open_checkpoints(folder, build=net, input_size=(3, 32, 32), name="net")
    >>> checkpoints
    Checkpoints(net, epochs 9, 10 in ...)
    >>> checkpoints.bundle(10).name
    'net, epoch 10'
    """
    checked_transform(transform)
    if prefix is not None and not isinstance(prefix, str):
        raise CheckpointError(f"prefix must be the beginning of the names of tensors, such as 'model.', not {describe(prefix)}.")
    if isinstance(source, str) and source in SHIPPED:
        shipped = SHIPPED[source]
        source, build = shipped.folder, shipped.build if build is None else build
    files = FileSource.of(source)
    options = {"build": build, "transform": transform, "categories": categories, "input_size": input_size, "pretrained": pretrained}
    known = _OF_A_BUNDLE if isinstance(build, ModelBundle) else ()
    described = description_of(files, [*known, *(option for option, value in options.items() if value is not None)])
    model = _build(build, files, described)
    if transform is None and described.other_transform is not None and not isinstance(model, ModelBundle):
        raise CheckpointError(
            f"The images of this training are prepared by {described.other_transform}, which a file cannot hold: pass transform=..."
        )
    if isinstance(model, ModelBundle) and any(options[option] is not None for option in _OF_A_BUNDLE):
        raise CheckpointError("build is a ModelBundle, which has a transform, classes and an input size of its own: do not pass others.")
    series = SeriesOptions(
        transform=transform if transform is not None else described.transform,
        categories=checked_categories(categories) if categories is not None else described.categories,
        input_size=checked_size(input_size) if input_size is not None else described.input_size,
        prefix=prefix,
    )
    called = checked_name(name, described.name or _name_of(model, files))
    started = described.pretrained if pretrained is None else flag(pretrained, "pretrained", CheckpointError)
    unit, found = _scan(files, epochs)
    return Checkpoints(called, files, ModelSeries(model, called, series), unit, found, started, recording_of(files))


def _scan(source: FileSource, epochs: Sequence[int] | None) -> tuple[Unit, Scan]:
    paths = source.paths()
    if not paths and (source.folder is None or read_description(source.folder) is None):
        raise CheckpointError(
            f"{source.folder} has no checkpoints: no file that ends in {', '.join(FILE_TYPES[:4])}, and no folder checkpoint-... of "
            "Hugging Face's Trainer."
        )
    given = None if epochs is None else given_epochs(paths, epochs)
    found = scan(paths)
    if found.unreadable and not found.read:
        way = "" if source.folder is None else " If another process is writing it, wait until it is complete."
        raise CheckpointError(f"{_reasons(found.unreadable)}{way}")
    for reason in found.unreadable.values():
        warnings.warn(f"A file is left out, and the other checkpoints are opened: {reason}", stacklevel=3)
    if given is not None:
        if source.folder is not None:
            check_order(given, {file.path: file.numbers["epoch"].value for file in found.read if "epoch" in file.numbers})
        found.read = numbered(found.read, given)
        return "epoch", found
    found.read = without_copies(found.read)
    return unit_of(found.read) if found.read else "epoch", found


def _reasons(unreadable: Mapping[Path, str]) -> str:
    first, *others = unreadable.values()
    return f"{first} {len(others)} more cannot be read: {' '.join(others)}" if others else first


def _build(build: Build | None, source: FileSource, described: TrainingDescription) -> Build:
    if build is not None:
        return checked_build(build)
    if described.architecture is not None:
        return described.architecture
    configured = next((path for path in source.paths() if (path / "config.json").is_file()), None)
    if configured is not None:
        return f"hf:{configured}"
    raise CheckpointError(
        "These checkpoints do not tell their architecture: pass build=net (the model), build=lambda: MyNet(), or the name of an "
        "architecture of load_model, such as build='resnet18'."
    )


def _name_of(build: Build, source: FileSource) -> str:
    if isinstance(build, str):
        folder = Path(build.removeprefix("hf:"))
        return build if not folder.is_dir() else (folder.parent if folder in source.paths() else folder).resolve().name
    return build.name if isinstance(build, ModelBundle) else getattr(build, "__name__", type(build).__name__).replace("<lambda>", "model")
