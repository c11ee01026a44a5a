"""Programs of torch.export, and the modules in them: their mode, and the size of their inputs, cannot be changed after the export."""

from __future__ import annotations

import torch
from torch import Tensor, fx, nn

from deconvwidgets.errors import ModelError

Size = tuple[int, int, int]


def as_module(net: nn.Module | torch.export.ExportedProgram, size: Size | None, name: str) -> tuple[nn.Module, Size | None]:
    """Return the module of a program of torch.export in evaluation mode, with the size of its example inputs; anything else as it is.

    Parameters
    ----------
    net : torch.nn.Module or torch.export.ExportedProgram
    size : tuple of (int, int, int), optional
        (channels, height, width); by default, for a program, that of its first input of four dimensions.
    name : str
        The name of the model, for the error message.

    Raises
    ------
    ModelError
        If dropout or batch norm of the program is in training mode.
    """
    if not isinstance(net, torch.export.ExportedProgram):
        return net, size
    _refuse_training(net, name)
    module: nn.Module = net.module()
    for part in module.modules():
        part.training = False  # exported modules have no eval()
    return module, exported_size(module) or _example_size(net) if size is None else size


def exported_size(module: nn.Module) -> Size | None:
    """Return (channels, height, width) of the input of an exported module; None if it is another module, or takes several sizes."""
    shape = _input_shape(module)
    return None if shape is None or None in shape[1:] else (shape[1], shape[2], shape[3])  # type: ignore[return-value]


def check_mode_and_size(module: nn.Module, size: Size, name: str) -> None:
    """Raise ModelError if a module is in training mode, or was exported for inputs of another size, or for batches of several images."""
    if module.training and _is_exported(module):
        raise ModelError(
            f"{name} is the module of a program of torch.export, which has no evaluation mode: pass the ExportedProgram itself, exported "
            "from model.eval()."
        )
    if module.training:
        raise ModelError(f"{name} is in training mode, in which dropout and batch norm are random. Call model.eval() first.")
    batch, *shape = _input_shape(module) or (None, None, None, None)
    if batch not in (None, 1):
        raise ModelError(
            f"{name} was exported for batches of exactly {batch} images: export it with one image, or with dynamic_shapes for the batch."
        )
    if any(was not in (None, now) for was, now in zip(shape, size, strict=True)):
        shown = " x ".join("any" if side is None else str(side) for side in shape)
        raise ModelError(
            f"{name} was exported for inputs of {shown} (channels x height x width), not {' x '.join(map(str, size))}: pass that "
            "input_size, and a transform that fits it, or export it again."
        )


def _is_exported(module: nn.Module) -> bool:
    return isinstance(module, fx.GraphModule) and "eval" in vars(module)  # torch.export replaces it by one that raises


def _input_shape(module: nn.Module) -> tuple[int | None, ...] | None:
    """Return the shape of an exported module's first input of four dimensions, with None for dimensions that may vary."""
    if not isinstance(module, fx.GraphModule) or not _is_exported(module):
        return None
    for node in module.graph.nodes:
        value = node.meta.get("val") if node.op == "placeholder" else None
        if isinstance(value, Tensor) and value.ndim == 4:
            return tuple(side if isinstance(side, int) else None for side in value.shape)
    return None


def _example_size(program: torch.export.ExportedProgram) -> Size | None:
    args, kwargs = program.example_inputs or ((), {})
    for value in (*args, *kwargs.values()):
        if isinstance(value, Tensor) and value.ndim == 4:
            return (int(value.shape[1]), int(value.shape[2]), int(value.shape[3]))
    return None


def _refuse_training(program: torch.export.ExportedProgram, name: str) -> None:
    """Raise ModelError for a program in which dropout or batch norm is in training mode."""
    for node in program.graph.nodes:
        schema = getattr(node.target, "_schema", None)
        named = {} if schema is None else dict(zip((argument.name for argument in schema.arguments), node.args, strict=False))
        named.update(node.kwargs)
        if named.get("train") is True or named.get("training") is True:
            raise ModelError(f"{name} is a program that was exported in training mode ({node.name}): export model.eval().")
