"""One network of some families of timm that are CNNs or nearly, with random weights.

One of each of 59 families is checked if the environment variable DECONVWIDGETS_SWEEP is "all" (15 minutes).
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from deconvwidgets.models.torchvision_import import import_torchvision
from tests.sweep.checks import check_network
from tests.sweep.networks import TIMM, make_network

pytestmark = pytest.mark.slow

import_torchvision()  # timm imports it
pytest.importorskip("timm", reason="timm is an optional library, whose networks are swept if it is installed")

OCCLUDED = ("resnest14d", "skresnet18", "nf_resnet26", "hgnetv2_b0", "repvgg_a0")
CHECKED = (*OCCLUDED, "convnext_atto", "mobilenetv4_conv_small")
NAMES = TIMM if os.environ.get("DECONVWIDGETS_SWEEP") == "all" else CHECKED
INDEXED = ("mobilenetv4_conv_small",)


@pytest.mark.parametrize("name", NAMES)
def test_network(name: str, noise: Callable[..., object]) -> None:
    model, size = make_network(f"timm/{name}")
    check_network(model, (3, size, size), occlusion=name in OCCLUDED, index=noise(4) if name in INDEXED else None)
