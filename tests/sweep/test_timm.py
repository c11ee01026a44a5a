"""One network of each of 40 families of timm that are CNNs or nearly, with random weights.

19 more are checked if the environment variable DECONVWIDGETS_SWEEP is "all" (15 minutes).
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from deconvwidgets.models.torchvision_import import import_torchvision
from tests.sweep.checks import check_network
from tests.sweep.networks import TIMM, make_network

import_torchvision()  # timm imports it
pytest.importorskip("timm", reason="timm is an optional library, whose networks are swept if it is installed")

LONG = (
    "nasnetalarge", "pnasnet5large", "dpn48b", "inception_resnet_v2", "inception_v4", "xception41", "legacy_senet154", "res2net50_14w_8s",
    "dm_nfnet_f0", "shvit_s1", "convmixer_768_32", "rdnet_tiny", "vit_tiny_patch16_224", "resnetv2_50", "coat_lite_tiny", "densenet121",
    "vgg11_bn", "mobileone_s0", "dla34",
)  # fmt: skip
NAMES = list(TIMM) if os.environ.get("DECONVWIDGETS_SWEEP") == "all" else [name for name in TIMM if name not in LONG]
OCCLUDED = ("resnest14d", "skresnet18", "hrnet_w18_small", "nf_resnet26", "hgnetv2_b0", "selecsls42", "rexnet_100", "repvgg_a0")
INDEXED = ("ghostnet_050",)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_network(name: str, noise: Callable[..., object]) -> None:
    model, size = make_network(f"timm/{name}")
    check_network(model, (3, size, size), occlusion=name in OCCLUDED, index=noise(4) if name in INDEXED else None)
