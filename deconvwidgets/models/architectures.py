"""The architectures that `load_model` knows, and how each is built: torchvision's, and two of our own."""

from __future__ import annotations

import difflib
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from deconvwidgets.errors import ModelError
from deconvwidgets.models.efficientnet_lite import EfficientNetLite0
from deconvwidgets.models.preprocess import Preprocess, as_preprocess, default_preprocess
from deconvwidgets.models.torchvision_import import import_torchvision
from deconvwidgets.models.zfnet import ZFNet

EFFICIENTNET_LITE0_PREPROCESS = Preprocess(resize=256, mean=(127 / 255,) * 3, std=(128 / 255,) * 3, interpolation=Image.Resampling.BICUBIC)
_OWN: dict[str, type[nn.Module]] = {"efficientnet_lite0": EfficientNetLite0, "zfnet": ZFNet}


class ConvTrunk(nn.Module):
    """A torchvision model without its classifier, under the same names (`features.N`, `avgpool`).

    Input (N, 3, H, W); output the pooled maps (N, channels, rows, columns).
    """

    def __init__(self, features: nn.Module, avgpool: nn.Module) -> None:
        super().__init__()
        self.features = features
        self.avgpool = avgpool

    def forward(self, x: Tensor) -> Tensor:
        """The pooled maps of the last convolution."""
        maps: Tensor = self.avgpool(self.features(x))
        return maps


def model_names() -> list[str]:
    """Every name that `load_model` takes."""
    models = import_torchvision().models
    return sorted([*models.list_models(module=models), *_OWN])


def require_known(name: str) -> None:
    """Raise ModelError, with the names that come close, for a model that nobody knows."""
    names = model_names()
    if name not in names:
        close = difflib.get_close_matches(name, names, n=4, cutoff=0.5)
        hint = f"Did you mean {', '.join(close)}?" if close else f"Known are {', '.join(names[:6])}, ... ({len(names)} in all)."
        raise ModelError(f"There is no model {name!r}. {hint} Your own model goes in by ModelBundle.from_module(net, ...).")


def is_own(name: str) -> bool:
    """Whether the architecture is our module rather than torchvision's."""
    return name in _OWN


def official_weights(name: str) -> Any:
    """torchvision's default weights of a torchvision model, a member of its weights enum."""
    return import_torchvision().models.get_model_weights(name).DEFAULT


def all_official_weights(name: str) -> list[Any]:
    """Every member of the weights enum of a torchvision model; none for our own modules."""
    return [] if is_own(name) else list(import_torchvision().models.get_model_weights(name))


def build_random(name: str, num_classes: int = 1000) -> nn.Module:
    """The architecture with random weights, always the same ones, in evaluation mode. The global generator is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = _OWN[name](num_classes=num_classes) if is_own(name) else _build_torchvision(name, num_classes)
    return model.eval()


def _build_torchvision(name: str, num_classes: int) -> nn.Module:
    arguments: dict[str, Any] = {"num_classes": num_classes}
    if name in ("googlenet", "inception_v3"):  # their auxiliary classifiers only exist for training
        arguments |= {"aux_logits": False, "transform_input": True, "init_weights": True}
    model: nn.Module = import_torchvision().models.get_model(name, weights=None, **arguments)
    return model


def build_trunk(name: str) -> ConvTrunk:
    """A torchvision model's `features` and `avgpool`, its parameters not yet filled (on the meta device)."""
    with torch.device("meta"):
        model = import_torchvision().models.get_model(name, weights=None)
    return ConvTrunk(model.features, model.avgpool).eval()


def transform_of(name: str, weights: Any = None) -> Preprocess:
    """The transform that published weights were trained for: torchvision's `weights`, or the architecture's default ones.

    A zfnet's is the common one of 224 pixels.
    """
    if name == "efficientnet_lite0":
        return EFFICIENTNET_LITE0_PREPROCESS
    if name == "zfnet":
        return Preprocess()
    known = as_preprocess((weights or official_weights(name)).transforms())
    return known or default_preprocess((3, 224, 224))


def imagenet_categories() -> tuple[str, ...]:
    """The names of ImageNet's 1,000 classes, which torchvision's weights metadata holds: nothing is downloaded."""
    return tuple(import_torchvision().models.AlexNet_Weights.IMAGENET1K_V1.meta["categories"])
