"""Networks by name with random weights, for any number of classes and, where the architecture can take it, any size of inputs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from deconvwidgets.errors import ModelError
from deconvwidgets.models import architectures
from deconvwidgets.models.libraries import import_library
from deconvwidgets.models.zfnet import VARIANTS, build_variant

PAPERS = ("zfnet", "alexnet", *VARIANTS)  # the networks of the paper


def build_untrained(name: str, classes: int, input_size: tuple[int, int, int] | None = None, seed: int = 0) -> nn.Module:
    """Return a network with random weights, which depend on the seed only. torch's global generator is not changed.

    Parameters
    ----------
    name : str
        "zfnet", one of its variants in table 3 of the paper, such as "zfnet_fc2048", another name of `load_model` that is one of
        torchvision's or of this package, or "timm:" and the name of a model of timm.
    classes : int
        The number of classes.
    input_size : tuple of (int, int, int), optional
        (channels, height, width). The classifier of zfnet and its variants depends on it; other architectures do not use it.
    seed : int
        Decides the weights.

    Returns
    -------
    torch.nn.Module
        The network, in evaluation mode.

    Raises
    ------
    ModelError
        If the name is unknown, or cannot be built without weights, or the inputs are too small for it.
    """
    build = _builder(name, input_size or (3, 224, 224))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(classes).eval()


def _builder(name: str, input_size: tuple[int, int, int]) -> Callable[[int], nn.Module]:
    if name == "zfnet" or name in VARIANTS:
        return partial(build_variant, name, input_size=input_size[1:])
    library, separator, library_name = str(name).partition(":")
    if separator and library == "timm":
        return partial(_build_timm, library_name)
    if separator and library == "hf":
        raise ModelError(
            f"{name} cannot be built untrained by its name: give a function of the number of classes that returns a network whose output "
            "are logits (N, classes)."
        )
    architectures.require_known(name)
    return partial(architectures.build_plain, name)


def _build_timm(name: str, classes: int) -> nn.Module:
    timm = import_library("timm", "timm")
    try:
        model: nn.Module = timm.create_model(name, pretrained=False, num_classes=classes)
    except RuntimeError as error:
        raise ModelError(f"timm has no model {name!r}: timm.list_models() lists them.") from error
    return model
