"""The network that is trained: built by name or by a function, or a copy of a module, and tried with inputs of the chosen size."""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from deconvwidgets.arguments import as_integer, describe, text
from deconvwidgets.engine.input_kind import check_input_kind, checked_size
from deconvwidgets.errors import ModelError, TrainingError
from deconvwidgets.instruments.training.compute.recipe import Recipe
from deconvwidgets.models import architectures
from deconvwidgets.models.untrained import PAPERS, build_untrained

Architecture = str | nn.Module | Callable[[int], nn.Module]
Size = tuple[int, int, int]

_SIZES_TO_SUGGEST = (32, 48, 64, 96, 128, 160, 192, 224, 256, 299)


@dataclass(frozen=True)
class BuiltNetwork:
    """A network before training.

    Attributes
    ----------
    model : torch.nn.Module
        The network, on the CPU.
    name : str
        Its name.
    architecture : str or None
        The name from which `build_untrained` builds it; None for a module or a function.
    input_size : tuple of (int, int, int)
        (channels, height, width).
    of_paper : bool
        Whether it is one of the paper's, for which the "auto" of a recipe is the paper's value.
    """

    model: nn.Module
    name: str
    architecture: str | None
    input_size: Size
    of_paper: bool

    @property
    def structure(self) -> str:
        """SHA-256 of the names, shapes and types of parameters and buffers: the state of another structure cannot be resumed."""
        parts = (f"{name} {tuple(value.shape)} {value.dtype}\n" for name, value in self.model.state_dict().items())
        return hashlib.sha256("".join(parts).encode()).hexdigest()


def build_network(architecture: Architecture, classes: int, input_size: object, seed: int, name: str | None) -> BuiltNetwork:
    """Return the network for a number of classes. torch's global generator is not changed.

    Parameters
    ----------
    architecture : str, torch.nn.Module or callable
        A name, see `build_untrained`; a module, of which a copy is trained; or a function of the number of classes.
    classes : int
        The number of classes.
    input_size : int, (height, width), (channels, height, width) or None
        None is the usual size of a name, and (3, 224, 224) for others.
    seed : int
        Decides the initial weights.
    name : str, optional
        The name of the network; by default that of the architecture or class.

    Raises
    ------
    TrainingError
        If it cannot be built, does not take float32 inputs of the size, or does not return one logit per class; and if torch's default type
        is not float32.
    """
    _check_default_type()
    size = _size(input_size, _usual_size(architecture))
    built = _built(architecture, classes, size, seed)
    called = name or _name_of(architecture, built)
    known = architecture if isinstance(architecture, str) else None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # lazy modules draw their weights in the first call
        _check(built, classes, size, called)
    return BuiltNetwork(built, called, known, size, known in PAPERS)


def _name_of(architecture: Architecture, built: nn.Module) -> str:
    if isinstance(architecture, str):
        return architecture
    function = getattr(architecture, "__name__", "<lambda>")  # of a function or a class
    return type(built).__name__ if isinstance(architecture, nn.Module) or function.startswith("<") else function


def _usual_size(architecture: Architecture) -> Size:
    if isinstance(architecture, str):
        text(architecture, "architecture", "the name of a network, a torch.nn.Module or a function", TrainingError)
    if isinstance(architecture, str) and ":" not in architecture and architecture not in PAPERS:
        try:
            architectures.require_known(architecture)
        except ModelError as error:
            raise TrainingError(str(error)) from error
        return architectures.transform_of(architecture).input_size
    return (3, 224, 224)


def _size(value: object, usual: Size) -> Size:
    if value is None:
        return usual
    side = as_integer(value)
    if side is not None:
        return _size((side, side), usual)
    if isinstance(value, list | tuple) and len(value) == 2:
        value = (usual[0], *value)
    try:
        size = checked_size(value)
    except ModelError as error:
        raise TrainingError(f"input_size must be a number of pixels, (height, width) or (channels, height, width): {error}") from error
    if size[0] not in (1, 3):
        raise TrainingError(f"Photographs have 3 channels, or 1 in gray, so input_size cannot have {size[0]}.")
    return size


def _built(architecture: Architecture, classes: int, size: Size, seed: int) -> nn.Module:
    if isinstance(architecture, str):
        return _by_name(architecture, classes, size, seed)
    if isinstance(architecture, nn.Module):
        return copy.deepcopy(architecture).requires_grad_(True) if _frozen(architecture) else copy.deepcopy(architecture)
    if not callable(architecture):
        raise TrainingError(
            f"architecture must be a name such as 'zfnet', a torch.nn.Module, or a function of the number of classes that returns one, not "
            f"{describe(architecture)}."
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            built = architecture(classes)
        except TypeError as error:
            raise TrainingError(f"The function for the architecture failed with the number of classes, {classes}: {error}") from error
    if not isinstance(built, nn.Module):
        raise TrainingError(f"The function for the architecture returned {describe(built)}, not a torch.nn.Module.")
    return built


def _frozen(module: nn.Module) -> bool:
    """Return whether no parameter is trained, as in the bundles of `load_model`. A module with some frozen parameters keeps them."""
    return not any(parameter.requires_grad for parameter in module.parameters())


def _by_name(name: str, classes: int, size: Size, seed: int) -> nn.Module:
    try:
        return build_untrained(name, classes, size, seed)
    except ModelError as error:
        hint = _hint(name, classes, size) if "too small" in str(error) else ""
        raise TrainingError(f"{error}{hint}") from error


def _check(model: nn.Module, classes: int, size: Size, name: str) -> None:
    """Raise TrainingError if the network does not map inputs (N, *size) to logits (N, classes)."""
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise TrainingError(f"{name} has no parameters that can be trained.")
    try:
        check_input_kind(model, name)
        outputs = _outputs(model, size)
    except (ModelError, TrainingError) as error:
        raise TrainingError(str(error)) from error
    except Exception as error:  # a foreign model may raise anything
        if _not_float32(model):
            raise TrainingError(
                f"{name} has parameters of {', '.join(_not_float32(model))}, and networks are trained in float32: pass network.float(), or "
                "a function that returns it."
            ) from error
        first = str(error).partition("\n")[0]
        raise TrainingError(
            f"{name} cannot take inputs of {size[0]} x {size[1]} x {size[2]} (channels, height, width): {first}. Pass input_size=..., the "
            f"size that it is made for.{_hint(name, classes, size)}"
        ) from error
    if tuple(outputs.shape) != (2, classes):
        raise TrainingError(
            f"{name} returned a tensor of {tuple(outputs.shape)} for 2 images, and the image set has {classes} classes: it must return "
            f"logits (2, {classes}). Build it for {classes} classes, or give its class or another function of the number of classes."
        )


def _not_float32(model: nn.Module) -> list[str]:
    """Return the types of parameters of other precisions, such as "float16"."""
    kinds = {parameter.dtype for parameter in model.parameters() if parameter.is_floating_point()} - {torch.float32}
    return sorted(str(kind).removeprefix("torch.") for kind in kinds)


def _check_default_type() -> None:
    default = torch.get_default_dtype()
    if default != torch.float32:
        raise TrainingError(
            f"torch's default type is {str(default).removeprefix('torch.')}, and networks are trained in float32: call "
            "torch.set_default_dtype(torch.float32) before training."
        )


def _outputs(model: nn.Module, size: Size) -> Tensor:
    training = model.training
    try:
        with torch.no_grad():
            outputs = model.eval()(torch.zeros(2, *size, dtype=torch.float32))
    finally:
        model.train(training)
    if not isinstance(outputs, Tensor):
        raise TrainingError(f"The network returned a {type(outputs).__name__}, not a tensor of logits: wrap it in a module that does.")
    return outputs


def _hint(name: str, classes: int, size: Size) -> str:
    """Return the smallest of the usual sizes that a named architecture takes."""
    for side in _SIZES_TO_SUGGEST:
        try:
            with torch.device("meta"):
                built = build_untrained(name, classes, (size[0], side, side))
                with torch.no_grad():
                    built(torch.empty(2, size[0], side, side))
        except Exception as error:
            if not isinstance(error, RuntimeError | ValueError | ModelError):
                raise
            continue
        return f" The smallest usual size that {name} takes is {side}: input_size={side}."
    return ""


def prepare_parameters(network: BuiltNetwork, recipe: Recipe) -> None:
    """Set the initial weights of convolutions and linear layers as the recipe says, but for frozen ones. The same seed gives the same."""
    if recipe.initial_std is None:
        return
    generator = torch.Generator().manual_seed(recipe.seed)
    with torch.no_grad():
        for module in network.model.modules():
            if isinstance(module, nn.modules.conv._ConvNd | nn.Linear):
                std = math.sqrt(2 / _inputs(module)) if recipe.initial_std == "he" else float(recipe.initial_std)
                weight = module.weight
                if weight.requires_grad or not isinstance(weight, nn.Parameter):
                    weight.normal_(0, std, generator=generator)
                if module.bias is not None and module.bias.requires_grad:
                    module.bias.zero_()


def _inputs(module: nn.modules.conv._ConvNd | nn.Linear) -> int:
    """Return the number of values that one output value is computed from, away from the border."""
    if isinstance(module, nn.Linear):
        return module.in_features
    return module.in_channels // module.groups * math.prod(module.kernel_size)
