"""Every classification network of torchvision, with random weights.

The smallest network of most families is checked; all are if the environment variable DECONVWIDGETS_SWEEP is "all" (an hour).
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.sweep.checks import check_network
from tests.sweep.networks import make_network, torchvision_names

pytestmark = pytest.mark.slow

# With an operation that rule "deconvnet" refuses, if any.
SMALLEST = {
    "alexnet": "", "vgg11_bn": "", "resnet18": "", "resnext50_32x4d": "", "squeezenet1_0": "", "densenet121": "", "googlenet": "",
    "inception_v3": "", "shufflenet_v2_x0_5": "", "mobilenet_v2": "", "mnasnet0_5": "", "regnet_x_400mf": "", "small vit": "layer_norm",
    "small swin": "layer_norm", "small swin_v2": "layer_norm", "mobilenet_v3_small": "hardswish", "efficientnet_b0": "silu",
    "regnet_y_400mf": "sigmoid", "small convnext": "layer_norm", "small maxvit": "gelu",
}  # fmt: skip

LONG = ("vgg11_bn", "resnext50_32x4d", "densenet121", "inception_v3", "googlenet", "regnet_y_400mf")
INDEXED = ("squeezenet1_0", "shufflenet_v2_x0_5", "small vit", "small swin")
ALL = os.environ.get("DECONVWIDGETS_SWEEP") == "all"
NAMES = list(dict.fromkeys([*SMALLEST, *torchvision_names()])) if ALL else [name for name in SMALLEST if name not in LONG]


@pytest.mark.parametrize("name", NAMES)
def test_network(name: str, noise: Callable[..., object]) -> None:
    model, size = make_network(name)
    refused = check_network(model, (3, size, size), occlusion=name in SMALLEST, index=noise(4) if name in INDEXED else None)
    if name in SMALLEST:
        operations = " ".join(refused.values())
        assert SMALLEST[name] in operations if SMALLEST[name] else not refused
