"""`load_model` loads models by name, with the best weights available."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from deconvwidgets.arguments import flag
from deconvwidgets.assets.cache import sha256_of_file
from deconvwidgets.assets.pins import PINNED_WEIGHTS
from deconvwidgets.assets.torchvision_weights import ensure_official_file, hash_prefix
from deconvwidgets.engine.input_kind import checked_size
from deconvwidgets.errors import AssetError, HeadError, ModelError
from deconvwidgets.models import architectures
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.checkpoints import fit_into, read_checkpoint
from deconvwidgets.models.devices import checked_device, on_device
from deconvwidgets.models.head_files import HeadSource, has_bundled_head
from deconvwidgets.models.huggingface_models import load_huggingface
from deconvwidgets.models.pinned_weights import pinned_state_dict
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.models.state_fitting import StateDict
from deconvwidgets.models.timm_models import load_timm
from deconvwidgets.models.torchvision_import import import_torchvision
from deconvwidgets.models.untrained_weights import UNTRAINED
from deconvwidgets.paths import as_path

_IMAGENET = "ImageNet's 1,000 classes"
_DEFAULT_HEADS = {"alexnet": "caltech101"}
_LIBRARIES: Mapping[str, Callable[[str, str | Path | None], ModelBundle]] = {"timm": load_timm, "hf": load_huggingface}


def load_model(
    name: str,
    weights: str | os.PathLike[str] | None = "default",
    input_size: tuple[int, int, int] | None = None,
    progress: bool = True,
    head: HeadSource | None = "default",
    device: str | torch.device = "cpu",
) -> ModelBundle:
    """Load a model by name.

    Parameters
    ----------
    name : str
        One of torchvision's classification models, "zfnet", "efficientnet_lite0"; "timm:" and the name of a model of timm, such as
        "timm:resnet50"; or "hf:" and the name of an image classifier on the Hugging Face Hub or the path of its folder, such as
        "hf:microsoft/resnet-50". The latter two need the package timm or transformers.
    weights : str, path or None
        One of

        - "default": torchvision's default weights if its server responds within 5 seconds, otherwise those of "pinned".
          `bundle.weights` and `bundle.notes` say which were loaded, and why;
        - "pinned": weights from the package index, the same with and without a connection to torchvision's server: the convolutions
          of AlexNet and VGG16, and all of SqueezeNet 1.1 (`squeezenet1_1`) and EfficientNet-Lite0;
        - "default" for models of timm and Hugging Face: the weights on the Hugging Face Hub, or in its cache or the folder;
        - the name of other weights of torchvision, such as "IMAGENET1K_V1";
        - the path of a checkpoint of this architecture;
        - None: random weights, which are always the same.
    input_size : tuple of (int, int, int), optional
        (channels, height, width), if it is not the size that the weights were trained at.
    progress : bool
        Whether to show progress bars during downloads.
    head : Head, str, path or None
        The softmax head, see `ModelBundle.with_head`. "default" keeps the classifier of the weights, and attaches the bundled
        Caltech-101 head to AlexNet if its weights have no classifier. None removes the classifier.
    device : str or torch.device
        "cpu", "cuda:1", ..., or "auto" for the first available one of CUDA, Apple's MPS and the CPU.

    Returns
    -------
    ModelBundle
        The model in evaluation mode, on the device, with `requires_grad=False` for all parameters.

    Raises
    ------
    ModelError
        If an argument is invalid, the name is unknown, the checkpoint does not fit, or the device cannot be used.
    AssetError
        If the weights cannot be downloaded.
    HeadError
        If the head was trained on another model.

    Examples
    --------
    >>> bundle = load_model("alexnet")
    >>> bundle.input_size
    (3, 224, 224)
    >>> [info.alias for info in bundle.network.feature_map_layers]
    ['conv1', 'conv2', 'conv3', 'conv4', 'conv5']
    >>> load_model("squeezenet1_1", weights="pinned").classifier
    "ImageNet's 1,000 classes"
    """
    flag(progress, "progress", ModelError)
    size = None if input_size is None else checked_size(input_size)
    target = checked_device(device)
    library, separator, library_name = str(name).partition(":")
    if separator and library in _LIBRARIES and weights != "pinned":
        bundle = _LIBRARIES[library](library_name, None if weights is None else str(weights))
    else:
        bundle = _by_name(name, weights, progress)
    bundle.model.requires_grad_(False)
    if size is not None:
        bundle = _resized(bundle, size)
    bundle = _with_default_head(bundle) if isinstance(head, str) and head == "default" else bundle.with_head(head)
    return on_device(bundle, target)


def _by_name(name: str, weights: str | os.PathLike[str] | None, progress: bool) -> ModelBundle:
    if isinstance(weights, str) and weights == "pinned":
        return _pinned(name, progress)
    architectures.require_known(name)
    if weights is None:
        return _random(name)
    if isinstance(weights, str) and weights == "default":
        return _default(name, progress)
    file = as_path(weights, "weights, unless it is None or the name of weights,", ModelError)
    return _from_official_name(name, str(weights), progress) or _from_checkpoint(name, file)


def _with_default_head(bundle: ModelBundle) -> ModelBundle:
    """Attach the bundled head if the model has no classifier, and has the input size that the head was trained at."""
    name = _DEFAULT_HEADS.get(bundle.name)
    if name is None or bundle.classifier is not None or not bundle.trained or not has_bundled_head(name):
        return bundle
    if bundle.input_size != architectures.transform_of(bundle.name).input_size:
        return bundle
    try:
        return bundle.with_head(name)
    except HeadError as error:  # the model is useful without it
        return replace(bundle, notes=(*bundle.notes, f"The bundled head is not used. {error}"))


def _default(name: str, progress: bool) -> ModelBundle:
    if name == "zfnet":
        raise ModelError("No weights of zfnet are published. Pass weights='path of a checkpoint', or weights=None for random weights.")
    if architectures.is_builtin(name):
        return _pinned(name, progress)
    official = architectures.official_weights(name)
    try:
        return _official(name, official, progress)
    except AssetError as error:
        if name in PINNED_WEIGHTS:
            return _pinned(name, progress, f"torchvision's {official.name} cannot be downloaded: {error}.")
        raise AssetError(
            f"torchvision's weights of {name} cannot be downloaded: {error}. Download {official.url} on "
            "another machine and pass weights='path of the file', pass weights=None for random weights, or use one of "
            f"{', '.join(sorted(PINNED_WEIGHTS))}, whose weights are on the package index."
        ) from error


def _from_official_name(name: str, weights: str, progress: bool) -> ModelBundle | None:
    for member in architectures.all_official_weights(name):
        if member.name == weights:
            return _official(name, member, progress)
    return None


def _official(name: str, weights: Any, progress: bool) -> ModelBundle:
    ensure_official_file(weights, progress)
    model = import_torchvision().models.get_model(name, weights=weights, progress=False)
    return _bundle(name, model, f"torchvision's {weights.name}", classifier=_IMAGENET, official=weights)


def _pinned(name: str, progress: bool, reason: str = "") -> ModelBundle:
    """Load the weights from the package index. `reason` says why torchvision's were not loaded, if they were tried."""
    if name not in PINNED_WEIGHTS:
        raise AssetError(f"The package index has no weights of {name}, only of {', '.join(sorted(PINNED_WEIGHTS))}.")
    pinned, state = PINNED_WEIGHTS[name], pinned_state_dict(name, progress)
    if pinned.trunk:
        model: nn.Module = architectures.build_trunk(name)
        model.load_state_dict(state, assign=True)
        notes: tuple[str, ...] = (_note_on_trunk(name, reason),)
        weights = f"torchvision's ImageNet convolutions, from {pinned.distribution.requirement}"
    else:
        model = fit_into(lambda classes: architectures.build_random(name, classes), state, name, pinned.distribution.requirement)
        notes = (f"{reason} These weights are from the package {pinned.distribution.requirement}.",) if reason else ()
        weights = f"ImageNet, from {pinned.distribution.requirement}"
    classifier = None if pinned.trunk else _IMAGENET
    return _bundle(name, model, weights, classifier, notes, transform=architectures.pinned_transform_of(name))


def _note_on_trunk(name: str, reason: str) -> str:
    url = architectures.official_weights(name).url
    return (
        f"Without ImageNet's classifier: {reason or 'the package index has only the convolutions.'} This is {name} up to its last pooling "
        f"layer. For ImageNet's classes, download {url} on another machine and pass weights='path of the file'."
    )


def _random(name: str) -> ModelBundle:
    model = architectures.build_random(name)
    return replace(_bundle(name, model, UNTRAINED, classifier=None), trained=False)


def _from_checkpoint(name: str, path: Path) -> ModelBundle:
    state = read_checkpoint(path)
    model = fit_into(lambda classes: architectures.build_random(name, classes), _without_auxiliary(name, state), name, path)
    classes = _output_count(model)
    if classes != 1000:
        note = f"The names of the checkpoint's {classes} classes are unknown: use ModelBundle.from_module(bundle.model, categories=[...])."
        return _bundle(name, model, f"checkpoint {path.name}", classifier=f"the checkpoint's {classes} classes", notes=(note,), named=False)
    official = _official_member(name, path)
    if official is not None:
        return _bundle(name, model, f"torchvision's {official.name} ({path.name})", classifier=_IMAGENET, official=official)
    classifier = "1,000 classes, assumed to be ImageNet's"
    return _bundle(name, model, f"checkpoint {path.name}", classifier=classifier)


def _without_auxiliary(name: str, state: StateDict) -> StateDict:
    if name not in ("googlenet", "inception_v3"):
        return state
    return {key: value for key, value in state.items() if not any(part.lower().startswith("aux") for part in key.split("."))}


def _official_member(name: str, path: Path) -> Any:
    """Return the member of torchvision's weights enum whose file has the same hash; None if there is none."""
    digest = sha256_of_file(path)
    for member in architectures.all_official_weights(name):
        prefix = hash_prefix(member)
        if prefix and digest.startswith(prefix):
            return member
    return None


def _output_count(model: nn.Module) -> int:
    last = [module for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d)][-1]
    return int(last.weight.shape[0])


def _bundle(
    name: str,
    model: nn.Module,
    weights: str,
    classifier: str | None,
    notes: tuple[str, ...] = (),
    named: bool = True,
    official: Any = None,
    transform: Preprocess | None = None,
) -> ModelBundle:
    transform = transform or architectures.transform_of(name, official)
    return ModelBundle(
        name=name,
        model=model.eval(),
        transform=transform,
        categories=architectures.imagenet_categories() if classifier is not None and named else None,
        input_size=transform.input_size,
        weights=weights,
        trained=True,
        classifier=classifier,
        notes=notes,
    )


def _resized(bundle: ModelBundle, input_size: tuple[int, int, int]) -> ModelBundle:
    transform = bundle.transform
    if not isinstance(transform, Preprocess) or input_size[0] != transform.input_size[0]:
        raise ModelError(f"{bundle.name} has {bundle.input_size[0]} input channels; input_size can only change height and width.")
    return replace(bundle, transform=transform.resized_to(*input_size[1:]), input_size=input_size)
