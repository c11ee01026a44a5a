"""Lines of Python that open the checkpoints of a training in other widgets. They run as they are, in a new notebook."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

PHOTOGRAPHS = 'dw.open_images("photos")'  # the default photographs: what activates a unit is searched in any photographs


def checkpoint_code(folder: Path, epoch: int, architecture: object, classes: int) -> tuple[tuple[str, str], ...]:
    """Return lines of Python by what they are for.

    Parameters
    ----------
    folder : Path
        The folder of the training.
    epoch : int
        Its last checkpoint.
    architecture : str, torch.nn.Module, callable or None
        What is trained; None if the folder does not say. A module, a function without a name and an unknown one are left to be filled in.
    classes : int
        The number of classes.
    """
    before, build = _build(architecture, classes)
    opened = [
        "import deconvwidgets as dw",
        *before,
        f"checkpoints = dw.open_checkpoints({str(folder.absolute())!r}{build})",
    ]
    fill_in = ", after you fill in the network" if any("..." in line for line in before) else ""
    evolution = [*opened, f"dw.EvolutionExplorer(checkpoints, {PHOTOGRAPHS})"]
    layers = [*opened, f"dw.LayerExplorer(dw.LocalModelService(checkpoints.bundle({epoch}), {PHOTOGRAPHS}))"]
    return (
        (f"How the features evolve{fill_in}", "\n".join(evolution)),
        (f"The layers at epoch {epoch}{fill_in}", "\n".join(layers)),
    )


def _build(architecture: object, classes: int) -> tuple[list[str], str]:
    """Return the lines that make the network, and the argument of `open_checkpoints`."""
    if isinstance(architecture, str):
        return [], ""
    name = None if isinstance(architecture, nn.Module) or not callable(architecture) else _importable(architecture)
    if name is None:
        kind = f", a {type(architecture).__name__}" if isinstance(architecture, nn.Module) else ""
        return [f"network = ...  # the network that was trained{kind}, with any weights"], ", build=network"
    module, attribute = name
    lines = [] if module == "__main__" else [f"from {module} import {attribute}"]
    return lines, f", build=lambda: {attribute}({classes})"


def _importable(architecture: Callable[..., Any]) -> tuple[str, str] | None:
    """Return the module and the name of a function or class that code can import, or that the notebook itself has defined."""
    name, module = getattr(architecture, "__qualname__", ""), inspect.getmodule(architecture)
    found = None if module is None or not name.isidentifier() else getattr(module, name, None)
    return (module.__name__, name) if module is not None and found is architecture else None
