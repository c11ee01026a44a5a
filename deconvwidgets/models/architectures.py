"""The architectures that `load_model` can build: those of torchvision, ZFNet and EfficientNet-Lite0."""

from __future__ import annotations

import difflib
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from deconvwidgets.arguments import text
from deconvwidgets.errors import ModelError
from deconvwidgets.models.efficientnet_lite import EfficientNetLite0
from deconvwidgets.models.preprocess import Preprocess, as_preprocess, default_preprocess
from deconvwidgets.models.squeezenet_weights import SQUEEZENET_PREPROCESS
from deconvwidgets.models.torchvision_import import import_torchvision
from deconvwidgets.models.zfnet import ZFNet

EFFICIENTNET_LITE0_PREPROCESS = Preprocess(resize=256, mean=(127 / 255,) * 3, std=(128 / 255,) * 3, interpolation=Image.Resampling.BICUBIC)
_BUILTIN: dict[str, type[nn.Module]] = {"efficientnet_lite0": EfficientNetLite0, "zfnet": ZFNet}


class ConvTrunk(nn.Module):
    """A torchvision model without its classifier, with the same module names (`features.N`, `avgpool`).

    The input is (N, 3, H, W); the output is the pooled maps (N, channels, rows, columns).
    """

    def __init__(self, features: nn.Module, avgpool: nn.Module) -> None:
        super().__init__()
        self.features = features
        self.avgpool = avgpool

    def forward(self, x: Tensor) -> Tensor:
        """Return the pooled maps of the last convolution."""
        maps: Tensor = self.avgpool(self.features(x))
        return maps


def model_names() -> list[str]:
    """Return all names that `load_model` accepts."""
    models = import_torchvision().models
    return sorted([*models.list_models(module=models), *_BUILTIN])


def require_known(name: str) -> None:
    """Raise ModelError for an unknown model. The message contains the closest names."""
    text(name, "name", "the name of a model, such as 'alexnet'", ModelError)
    names = model_names()
    if name not in names:
        close = difflib.get_close_matches(name, names, n=4, cutoff=0.5)
        hint = f"Did you mean {', '.join(close)}?" if close else f"There are {', '.join(names[:6])}, ... ({len(names)} in total)."
        raise ModelError(
            f"There is no model {name!r}. {hint} Models of other packages are 'timm:NAME' and 'hf:NAME'. For a model of your own, use "
            "ModelBundle.from_module(net, ...)."
        )


def is_builtin(name: str) -> bool:
    """Return whether an architecture is defined in this package and not in torchvision."""
    return name in _BUILTIN


def official_weights(name: str) -> Any:
    """Return torchvision's default weights of a model, a member of its weights enum."""
    return import_torchvision().models.get_model_weights(name).DEFAULT


def all_official_weights(name: str) -> list[Any]:
    """Return all members of the weights enum of a torchvision model; [] for an architecture of this package."""
    return [] if is_builtin(name) else list(import_torchvision().models.get_model_weights(name))


def build_random(name: str, num_classes: int = 1000) -> nn.Module:
    """Return a model in evaluation mode with random weights, which are always the same. torch's global generator is not changed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build_plain(name, num_classes).eval()


def build_plain(name: str, num_classes: int) -> nn.Module:
    """Return a model with random weights of torch's global generator."""
    return _BUILTIN[name](num_classes=num_classes) if is_builtin(name) else _build_torchvision(name, num_classes)


def _build_torchvision(name: str, num_classes: int) -> nn.Module:
    arguments: dict[str, Any] = {"num_classes": num_classes}
    if name in ("googlenet", "inception_v3"):  # without the auxiliary classifiers, which are only used in training
        arguments |= {"aux_logits": False, "transform_input": True, "init_weights": True}
    model: nn.Module = import_torchvision().models.get_model(name, weights=None, **arguments)
    return model


def build_trunk(name: str) -> ConvTrunk:
    """Return `features` and `avgpool` of a torchvision model, with uninitialised parameters on the meta device."""
    with torch.device("meta"):
        model = import_torchvision().models.get_model(name, weights=None)
    return ConvTrunk(model.features, model.avgpool).eval()


def transform_of(name: str, weights: Any = None) -> Preprocess:
    """Return the transform of torchvision's `weights`, or by default of the default weights of the architecture."""
    if name == "efficientnet_lite0":
        return EFFICIENTNET_LITE0_PREPROCESS
    if name == "zfnet":
        return Preprocess()
    preprocess = as_preprocess((weights or official_weights(name)).transforms())
    return preprocess or default_preprocess((3, 224, 224))


def pinned_transform_of(name: str) -> Preprocess:
    """Return the transform of the weights on the package index."""
    return SQUEEZENET_PREPROCESS if name == "squeezenet1_1" else transform_of(name)


def imagenet_categories() -> tuple[str, ...]:
    """Return the names of ImageNet's 1,000 classes from torchvision's metadata, without a download."""
    return tuple(import_torchvision().models.AlexNet_Weights.IMAGENET1K_V1.meta["categories"])
