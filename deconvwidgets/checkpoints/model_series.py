"""One model at several epochs: bundles that share the architecture, the transform and the classes, but no parameters."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from deconvwidgets.arguments import describe
from deconvwidgets.checkpoints.recorded_model import plain_model
from deconvwidgets.engine.model_copy import copy_sharing_tensors
from deconvwidgets.engine.structure import share_structure
from deconvwidgets.errors import CheckpointError, ModelError
from deconvwidgets.models import architectures
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.checkpoints import class_count, mismatches
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.models.state_fitting import StateDict, check_finite, without_prefix
from deconvwidgets.models.transforms import Transform
from deconvwidgets.models.untrained import build_untrained
from deconvwidgets.models.untrained_weights import UNTRAINED_NOTE
from deconvwidgets.models.zoo import load_model

Build = str | Callable[[], nn.Module] | nn.Module | ModelBundle


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesOptions:
    """What is known of the model beside its architecture. None: the default of `ModelBundle.from_module`."""

    transform: Transform | None = None
    categories: Sequence[str] | None = None
    input_size: tuple[int, int, int] | None = None
    prefix: str | None = None


class ModelSeries:
    """Makes the bundle of a state dict.

    Parameters
    ----------
    build : str, callable, torch.nn.Module or ModelBundle
        The model, see `open_checkpoints`.
    name : str
        The name of the model.
    options : SeriesOptions
    """

    def __init__(self, build: Build, name: str, options: SeriesOptions) -> None:
        self._build = build
        self._name = name
        self._options = options
        self._base: ModelBundle | None = None
        self._lock = threading.RLock()

    def base(self, read: Callable[[], tuple[StateDict, Path]]) -> ModelBundle:
        """Return the bundle that the others are copies of. `read` returns a state dict of the model and its file, if one is needed."""
        with self._lock:
            if self._base is None:
                self._base = self._make_base(*read())
            return self._base

    def bundle(self, state: StateDict, path: Path, label: str, weights: str, trained: bool, notes: tuple[str, ...]) -> ModelBundle:
        """Return the bundle of a state dict.

        Raises
        ------
        CheckpointError
            If the state dict does not fit the model, or has weights that are not finite.
        """
        base = self.base(lambda: (state, path))
        model = self._loaded(base.model, state, path)
        share_structure(base.model, model)
        return replace(base, name=f"{self._name}, {label}", model=model, weights=weights, trained=trained, notes=(*base.notes, *notes))

    def _make_base(self, state: StateDict, path: Path) -> ModelBundle:
        build, options = self._build, self._options
        if isinstance(build, ModelBundle):
            return _bare(build)
        if isinstance(build, str) and build.startswith("hf:"):
            return self._of_huggingface(build, state, path)
        net = self._named(build, state, path) if isinstance(build, str) else _module_of(build)
        usual = None if options.transform is not None else _transform_of(build, options.input_size)
        return self._from_module(net, state, path, usual)

    def _of_huggingface(self, build: str, state: StateDict, path: Path) -> ModelBundle:
        """Return the bundle of a model of transformers: the transform and the classes of its folder, unless others are given."""
        weights = "default" if Path(build.removeprefix("hf:")).is_dir() else None
        bundle = load_model(build, weights=weights, head=None if weights is None else "default")
        notes = tuple(note for note in bundle.notes if note != UNTRAINED_NOTE)
        made = self._from_module(bundle.model, state, path, bundle.transform, bundle.categories)
        return replace(made, notes=(*made.notes, *(notes if self._options.transform is None else ())))

    def _from_module(
        self, net: nn.Module, state: StateDict, path: Path, transform: Transform | None, categories: Sequence[str] | None = None
    ) -> ModelBundle:
        """Return a bundle with the options, and with `transform` and `categories` where they say nothing."""
        options = self._options
        loaded = self._loaded(net, state, path)  # what the outputs are is found out with weights of the training
        chosen, size = options.transform or transform, options.input_size
        if options.transform is None and isinstance(chosen, Preprocess) and size is not None and size[0] == chosen.input_size[0]:
            chosen = chosen.resized_to(*size[1:])
        try:
            return ModelBundle.from_module(loaded, chosen, options.categories or categories, size, self._name)
        except ModelError as error:
            raise CheckpointError(f"No bundle can be made of {path}: {error}") from error

    def _named(self, name: str, state: StateDict, path: Path) -> nn.Module:
        size = self._options.input_size
        net = build_untrained(name, 1000, size)
        classes = class_count(net, self._fitted(net, state, path))
        return net if classes == 1000 else build_untrained(name, classes, size)

    def _fitted(self, model: nn.Module, state: StateDict, path: Path) -> StateDict:
        """Return the model's part of a state dict, under the model's names. Raises CheckpointError if it is ambiguous or not finite."""
        try:
            found = without_prefix(model.state_dict(), state, path, self._options.prefix)
            check_finite(model, found, path)
        except ModelError as error:
            raise CheckpointError(str(error)) from error
        return found

    def _loaded(self, model: nn.Module, state: StateDict, path: Path) -> nn.Module:
        """Return a copy of a model on the CPU, in evaluation mode, with parameters and buffers of its own."""
        expected = model.state_dict()
        found = self._fitted(model, state, path)
        if problems := mismatches(expected, found):
            raise CheckpointError(
                f"{path} does not fit {self._name}: {'; '.join(problems)}. Pass build=..., the architecture that was trained."
            )
        copied = copy_sharing_tensors(model)
        own = {name: tensor.to("cpu", expected[name].dtype, copy=True) for name, tensor in found.items()}
        copied.load_state_dict(own, strict=False, assign=True)
        # The parameters are the copy's own from here on.
        return copied.to("cpu").eval().requires_grad_(False)


def checked_build(value: object) -> Build:
    """Return a model, a way to build one, or a name. Raises CheckpointError for anything else."""
    if (isinstance(value, str | nn.Module | ModelBundle) or callable(value)) and not (isinstance(value, str) and not value):
        return value
    raise CheckpointError(
        f"build must be the name of an architecture, a function that returns the model, a model or a ModelBundle, not {describe(value)}."
    )


def _module_of(build: nn.Module | Callable[[], nn.Module]) -> nn.Module:
    if isinstance(build, nn.Module):
        return plain_model(build)
    try:
        made = build()
    except TypeError as error:
        raise CheckpointError(f"build must be callable without arguments ({error}): pass build=lambda: MyNet(classes=10).") from error
    if not isinstance(made, nn.Module):
        raise CheckpointError(f"build must return a torch.nn.Module, not {describe(made)}.")
    return plain_model(made)


def _bare(bundle: ModelBundle) -> ModelBundle:
    if bundle.head is not None or bundle.units:
        raise CheckpointError(
            f"The bundle {bundle.name} has a head or changed units, which a checkpoint does not have: pass "
            "bundle.with_units(None).with_head(None)."
        )
    return bundle


def _transform_of(build: object, size: tuple[int, int, int] | None) -> Preprocess | None:
    """Return the usual transform of an architecture by name; None if there is none for inputs of that size."""
    if not isinstance(build, str) or ":" in build or build not in architectures.model_names():
        return None
    transform = architectures.transform_of(build)
    return transform if size is None or size[0] == transform.input_size[0] else None
