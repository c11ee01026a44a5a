"""The variants of a study: named architectures, functions, modules or bundles, checked so that they can be trained alike."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from torch import nn

from deconvwidgets.arguments import as_integer, describe
from deconvwidgets.compute.gradients import with_gradients
from deconvwidgets.errors import AblationError, TrainingError
from deconvwidgets.instruments.ablation.compute.presets import architecture_of, known_variant, preset
from deconvwidgets.instruments.ablation.records import Variant
from deconvwidgets.instruments.training.compute.architecture import Architecture, build_network
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.network_digest import network_digest, settings_digest
from deconvwidgets.models.preprocess import Preprocess, default_preprocess
from deconvwidgets.models.untrained import PAPERS

Spec = Architecture | ModelBundle
Specs = str | Sequence[str] | Mapping[str, Spec]
_NAME = re.compile(r"[\w+.,=() -]{1,80}")
_HOW = "a preset such as 'table3', a list of names, or a dict of a network per name"


@dataclass(frozen=True)
class TrainedVariant:
    """A variant with what builds it. `digest` has two digests: of its network with weights that were given, and of its settings alone."""

    variant: Variant
    architecture: Architecture
    input_size: tuple[int, int, int]
    of_paper: bool
    digest: str = ""

    @property
    def pretrained(self) -> bool:
        """Whether training starts from given weights."""
        return self.variant.origin == "given weights"


def specs_by_name(specs: object) -> dict[str, Spec]:
    """Return what builds each variant, by name.

    Raises
    ------
    AblationError
        For anything but a preset, names, or a mapping of names to networks, and for names that folders cannot have.
    """
    if isinstance(specs, str):
        specs = list(preset(specs))
    if isinstance(specs, list | tuple) and all(isinstance(name, str) for name in specs):
        if len(set(specs)) < len(specs):
            raise AblationError("specs has the same name twice: give each variant once.")
        specs = {name: name for name in specs}
    if not isinstance(specs, Mapping) or not specs:
        raise AblationError(f"specs must be {_HOW}, not {describe(specs)}.")
    for name, spec in specs.items():
        check_name(name)
        check_spec(spec, f"specs[{name!r}]")
    folded = [name.casefold() for name in specs]
    if len(set(folded)) < len(folded):
        raise AblationError("specs has names that differ only in case, which would have the same folder: choose others.")
    return dict(specs)


def check_spec(spec: object, name: str) -> None:
    """Raise AblationError for what builds no network."""
    if isinstance(spec, type) and not issubclass(spec, nn.Module):
        raise AblationError(f"{name} must be a class of networks, not {spec.__name__}.")
    if not isinstance(spec, str | nn.Module | ModelBundle) and not callable(spec):
        raise AblationError(
            f"{name} must be the name of a network, a function of the number of classes, a torch.nn.Module or a ModelBundle, not "
            f"{describe(spec)}."
        )


def check_name(name: object) -> None:
    """Raise AblationError for a name that cannot be that of a folder on every system."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.strip(" .") != name:
        raise AblationError(
            f"The name of a variant is that of its folder, so it has at most 80 letters, digits, spaces and _ + - . , = ( ), not "
            f"{describe(name)}."
        )


@with_gradients()
def build_variant(name: str, spec: Spec, categories: tuple[str, ...], input_size: object, seed: int) -> TrainedVariant:
    """Return a variant, built once to count its parameters.

    Raises
    ------
    AblationError
        If a bundle does not predict the classes of the images, or its inputs are prepared in another way than `dw.train` does.
    TrainingError
        If it cannot be built, or does not take the inputs.
    """
    given = isinstance(spec, nn.Module | ModelBundle)
    architecture: Architecture = _network_of(name, spec, categories) if isinstance(spec, ModelBundle) else spec
    if isinstance(architecture, str):
        architecture = architecture_of(architecture, _spatial(input_size))
    size = input_size if input_size is not None or not isinstance(spec, ModelBundle) else spec.input_size
    built = build_network(architecture, len(categories), size, seed, name)
    if isinstance(spec, ModelBundle):
        _check_transform(name, spec, built.input_size)
    known = known_variant(spec) if isinstance(spec, str) else None
    variant = Variant(
        name=name,
        description=known.description if known is not None else _description(spec),
        origin="given weights" if given else "random weights",
        architecture=spec if isinstance(spec, str) else None,
        parameters=sum(parameter.numel() for parameter in built.model.parameters()),
        surgery=tuple(step.label for step in spec.surgery) if isinstance(spec, ModelBundle) else (),
        paper=None if known is None else known.paper,
    )
    of_paper = built.of_paper or (known is not None and known.build is not None) or (isinstance(spec, str) and spec in PAPERS)
    weights = architecture if isinstance(architecture, nn.Module) else None
    digest = f"{network_digest(built.model, weights)} {settings_digest(built.model)}"
    return TrainedVariant(variant, architecture, built.input_size, of_paper, digest)


def is_recorded(recorded: str, architecture: Architecture, variant: Variant, classes: int, input_size: tuple[int, int, int]) -> bool:
    """Return whether an architecture has the settings that a study has recorded of a variant (`TrainedVariant.digest`).

    True where the study cannot tell: those of earlier versions have only a digest with the weights that were given, or none. Raises
    AblationError if it does not take the inputs of the study.
    """
    digests = recorded.split()
    if not digests or (len(digests) == 1 and variant.origin == "given weights"):
        return True
    try:
        model = build_network(architecture, classes, input_size, 0, variant.name).model
    except TrainingError as error:
        raise AblationError(str(error)) from error
    return (network_digest(model) if len(digests) == 1 else settings_digest(model)) == digests[-1]


def check_alike(variants: Sequence[TrainedVariant]) -> None:
    """Raise AblationError if the variants have inputs of different sizes."""
    sizes = {entry.input_size for entry in variants}
    if len(sizes) > 1:
        listed = ", ".join(f"{entry.variant.name} {' x '.join(map(str, entry.input_size))}" for entry in variants)
        raise AblationError(f"The variants have inputs of different sizes ({listed}): pass input_size=..., the same for all.")


def _network_of(name: str, bundle: ModelBundle, categories: tuple[str, ...]) -> nn.Module:
    if bundle.task != "softmax":
        raise AblationError(f"{name} must predict one class by a softmax to be trained further, and its task is {bundle.task}.")
    if bundle.categories is not None and tuple(bundle.categories) != categories:
        raise AblationError(
            f"{name} predicts other classes than those of the images, or has them in another order: train it on these images first, with "
            "dw.train, or give its architecture."
        )
    return copy.deepcopy(bundle.model)


def _check_transform(name: str, bundle: ModelBundle, size: tuple[int, int, int]) -> None:
    """Raise AblationError for a bundle whose inputs are normalised in another way than those of `dw.train`."""
    usual, own = default_preprocess(size), bundle.transform
    if not isinstance(own, Preprocess) or (own.mean, own.std) != (usual.mean, usual.std):
        raise AblationError(
            f"The inputs of {name} are not normalised as dw.train does (mean {usual.mean}, standard deviation {usual.std}), so training it "
            "further would begin with wrong inputs: use a network of dw.train, or of torchvision."
        )


def _spatial(input_size: object) -> tuple[int, int] | None:
    side = as_integer(input_size)
    if side is not None:
        return side, side
    if isinstance(input_size, list | tuple) and len(input_size) in (2, 3):
        height, width = (as_integer(value) for value in input_size[-2:])
        return None if height is None or width is None else (height, width)
    return None


def _description(spec: Spec) -> str:
    if isinstance(spec, ModelBundle):
        return f"{spec.name}, trained further"
    if isinstance(spec, nn.Module):
        return f"{type(spec).__name__}, trained further"
    if isinstance(spec, partial):
        changes = ", ".join(f"{name}={value!r}" for name, value in spec.keywords.items())
        return f"{getattr(spec.func, '__name__', 'function')}({changes})"
    return spec if isinstance(spec, str) else getattr(spec, "__name__", type(spec).__name__)
