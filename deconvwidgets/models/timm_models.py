"""Image classifiers of timm, with timm's transforms and class names: `load_model("timm:resnet50")`."""

from __future__ import annotations

import difflib
import importlib
from pathlib import Path
from typing import Any

import torch
from torch import nn

from deconvwidgets.errors import AssetError, ModelError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.checkpoints import fit_into, read_checkpoint
from deconvwidgets.models.libraries import (
    RANDOM_WEIGHTS,
    LibraryWeights,
    RgbTransform,
    hub_unreachable_reason,
    import_library,
    library_bundle,
)
from deconvwidgets.models.preprocess import as_preprocess
from deconvwidgets.models.transforms import Transform
from deconvwidgets.paths import as_path

_FILES = ("model.safetensors", "pytorch_model.bin")  # in timm's repositories on the hub, in the order in which timm looks for them


def load_timm(name: str, weights: str | Path | None) -> ModelBundle:
    """Load a model of timm.

    Parameters
    ----------
    name : str
        timm's name, such as "resnet50" or "resnet50.a1_in1k".
    weights : str, path or None
        "default" for timm's pretrained weights from the Hugging Face Hub or its cache, the path of a checkpoint, or None for random
        weights, which are always the same.

    Returns
    -------
    ModelBundle
        The model. Its transform is a `Preprocess` if timm's is one of resizing, cropping the centre and normalising.

    Raises
    ------
    ModelError
        If timm is not installed, the name is unknown, or the checkpoint does not fit.
    AssetError
        If the weights cannot be downloaded.
    """
    timm = import_library("timm", "timm")
    _require_known(timm, name)
    if weights is None:
        model, description = _build_random(timm, name), RANDOM_WEIGHTS
    elif weights == "default":
        model = _load_pretrained(timm, name)
        categories = _categories(timm, model)
        description = LibraryWeights(f"timm's {_full_name(model)}", categories, _describe(model, ""))
    else:
        model, description = _load_checkpoint(timm, name, as_path(weights, "weights", ModelError))
    return library_bundle(f"timm:{name}", model, _transform(timm, model), description)


def _require_known(timm: Any, name: str) -> None:
    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        names = timm.list_models()
        close = difflib.get_close_matches(architecture, names, n=4, cutoff=0.5)
        hint = f"Did you mean {', '.join(close)}?" if close else f"timm.list_models() returns its {len(names):,} names."
        raise ModelError(f"timm {timm.__version__} has no model {name!r}. {hint}")
    published = timm.list_pretrained(f"{architecture}.*") if tag else [name]
    if name not in published:
        raise ModelError(f"timm has no weights {name!r}. It has {', '.join(published) or f'none of {architecture}'}.")


def _build_random(timm: Any, name: str, **options: Any) -> nn.Module:
    """Return a model with random weights, which are always the same. torch's global generator is not changed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: nn.Module = timm.create_model(name, pretrained=False, **options)
    return model


def _load_pretrained(timm: Any, name: str) -> nn.Module:
    config = timm.get_pretrained_cfg(name, allow_unregistered=False)
    if config is None or not config.has_weights:
        raise ModelError(f"timm publishes no weights of {name}. Pass weights='path of a checkpoint', or weights=None for random weights.")
    options: dict[str, Any] = {}
    reason = hub_unreachable_reason()
    if reason is not None:
        path = _cached_file(config)
        if path is None:
            raise AssetError(_describe_failure(name, config, reason))
        options["pretrained_cfg_overlay"] = {"file": path}
    try:
        model: nn.Module = timm.create_model(name, pretrained=True, **options)
    except OSError as error:  # also the errors of huggingface_hub
        raise AssetError(_describe_failure(name, config, str(error).splitlines()[0])) from error
    return model


def _cached_file(config: Any) -> str | None:
    """Return the file of the weights in the cache of huggingface_hub."""
    hub = importlib.import_module("huggingface_hub")
    for filename in (config.hf_hub_filename,) if config.hf_hub_filename else _FILES:
        path = hub.try_to_load_from_cache(config.hf_hub_id, filename) if config.hf_hub_id else None
        if isinstance(path, str):
            return path
    return None


def _describe_failure(name: str, config: Any, reason: str) -> str:
    where = f"https://huggingface.co/{config.hf_hub_id}" if config.hf_hub_id else config.url
    return (
        f"timm's weights of {name} cannot be downloaded: {reason}. Download the file of the weights from {where} on another machine and "
        "pass weights='path of the file', or pass weights=None for random weights."
    )


def _load_checkpoint(timm: Any, name: str, path: Path) -> tuple[nn.Module, LibraryWeights]:
    state = read_checkpoint(path)
    model = fit_into(lambda classes: _build_random(timm, name, num_classes=classes), state, f"timm's {name}", path)
    categories = _categories(timm, model)
    if categories is not None:
        return model, LibraryWeights(f"checkpoint {path.name}", categories, _describe(model, ", assumed to be ImageNet's"))
    note = "The names of the checkpoint's classes are unknown: use ModelBundle.from_module(bundle.model, categories=[...])."
    return model, LibraryWeights(f"checkpoint {path.name}", None, _describe(model, ""), (note,))


def _full_name(model: Any) -> str:
    """Return the architecture and the tag of the weights, such as "resnet50.a1_in1k"."""
    config = model.pretrained_cfg
    return ".".join(part for part in (config.get("architecture"), config.get("tag")) if part)


def _describe(model: Any, source: str) -> str | None:
    return f"{model.num_classes:,} classes{source}" if model.num_classes else None


def _categories(timm: Any, model: Any) -> tuple[str, ...] | None:
    """Return timm's names of ImageNet's classes; None for a model with other classes."""
    subset = timm.data.infer_imagenet_subset(model)
    return tuple(timm.data.ImageNetInfo(subset).label_descriptions()) if subset is not None else None


def _transform(timm: Any, model: nn.Module) -> Transform:
    config = timm.data.resolve_model_data_config(model)
    transform = timm.data.create_transform(**config, is_training=False)
    return as_preprocess(transform) or RgbTransform(transform)
