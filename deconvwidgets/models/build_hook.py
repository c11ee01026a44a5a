"""A model that a function of the user's own code builds: "module:function" or "file.py:function". It runs that code."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from deconvwidgets.arguments import describe
from deconvwidgets.errors import ModelError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.checkpoints import mismatches, read_checkpoint
from deconvwidgets.models.exported_programs import as_module, exported_size
from deconvwidgets.models.state_fitting import check_finite, without_prefix
from deconvwidgets.paths import as_path, kind_of

_FORM = '"module:function" or "file.py:function"'


def build_model(spec: str, weights: str | os.PathLike[str] | None = None) -> ModelBundle:
    """Import a function of the user's own code, call it, and return what it builds as a bundle. The code can do anything.

    Parameters
    ----------
    spec : str
        "module:function", imported from the current folder or the Python path, or "file.py:function". The function takes no arguments and
        returns a ModelBundle, a torch.nn.Module or a torch.export.ExportedProgram. Those that are no bundle are put into evaluation mode
        and get the default transform (224 x 224, or the size that a program was exported for; ImageNet's mean and standard deviation).
    weights : str or path, optional
        A checkpoint that is loaded into the module, or into that of the bundle. Names that wrappers insert, such as torch.compile, and a
        prefix such as "model." are removed.

    Returns
    -------
    ModelBundle

    Raises
    ------
    ModelError
        If there is no such function, if it fails, if it returns something else, or if the checkpoint does not fit or is not finite.
    """
    source, separator, function = spec.rpartition(":")
    if not separator or not source or not function.isidentifier():
        raise ModelError(f"{describe(spec)} does not name a function that builds a model: give {_FORM}.")
    built = _call(_function(_imported(source), source, function), spec)
    bundle = _as_bundle(built, function, spec)
    return bundle if weights is None else _with_weights(bundle, as_path(weights, "weights", ModelError))


def _imported(source: str) -> ModuleType:
    """Import a module by its name, with the current folder on the path, or a file."""
    try:
        if not source.endswith(".py"):
            sys.path.insert(0, str(Path.cwd()))
            try:
                return importlib.import_module(source)
            finally:
                sys.path.pop(0)
        path = as_path(source, "the file of the function", ModelError)
        if kind_of(path) != "file":
            raise ModelError(f"There is no file {source}. Give {_FORM}.")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules.setdefault(path.stem, module)  # dataclasses and pickles look their module up
        spec.loader.exec_module(module)
    except ModelError:
        raise
    except Exception as error:  # the code of others may raise anything
        raise ModelError(
            f"{source} cannot be imported ({type(error).__name__}: {error}). Import it in Python to see where it fails."
        ) from error
    return module


def _function(module: ModuleType, source: str, name: str) -> Callable[[], Any]:
    found: Callable[[], Any] | None = getattr(module, name, None)
    if found is None or not callable(found):
        names = [key for key, value in vars(module).items() if callable(value) and getattr(value, "__module__", "") == module.__name__]
        known = f" It has {', '.join(names[:6])}." if names else ""
        raise ModelError(f"{source} has no function {name!r}.{known}")
    return found


def _call(function: Callable[[], Any], spec: str) -> Any:
    try:
        return function()
    except Exception as error:  # the code of others may raise anything
        raise ModelError(f"{spec} failed ({type(error).__name__}: {error}). Call it in Python to see where.") from error


def _as_bundle(built: Any, name: str, spec: str) -> ModelBundle:
    if isinstance(built, ModelBundle):
        return built
    built, size = as_module(built, None, f"What {spec} returned")
    if not isinstance(built, nn.Module):
        raise ModelError(f"{spec} returned {describe(built)}: it must return a ModelBundle, a torch.nn.Module or an ExportedProgram.")
    for module in built.modules():
        module.training = False  # exported modules have no eval(), and keep the mode in which they were exported
    name = name if type(built).__name__ == "GraphModule" else type(built).__name__
    # Nothing is asked of its outputs; an exported module may take one image only.
    return ModelBundle.from_module(built, input_size=size or exported_size(built), name=name, task=None)


def _with_weights(bundle: ModelBundle, path: Path) -> ModelBundle:
    model = bundle.model
    state = without_prefix(model.state_dict(), read_checkpoint(path), path)
    if problems := mismatches(model.state_dict(), state):
        raise ModelError(f"{path} does not fit the model: {'; '.join(problems)}. Give a checkpoint of the model that is built.")
    check_finite(model, state, path)
    model.load_state_dict(state)
    return replace(bundle, weights=f"checkpoint {path.name}")
