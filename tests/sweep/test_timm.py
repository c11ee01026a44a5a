"""The smallest network of each family of timm that is a CNN or nearly one, with random weights."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deconvwidgets.models.torchvision_import import import_torchvision
from tests.sweep.checks import check_network
from tests.sweep.networks import TIMM, make_network

import_torchvision()  # timm imports it
pytest.importorskip("timm", reason="timm is an optional library, whose networks are swept if it is installed")

OCCLUDED = ("resnest14d", "res2net50_14w_8s", "hrnet_w18_small", "nf_resnet26", "hgnetv2_b0", "selecsls42", "rexnet_100", "repvgg_a0")
INDEXED = ("mobileone_s0", "ghostnet_050")


@pytest.mark.slow
@pytest.mark.parametrize("name", TIMM)
def test_network(name: str, noise: Callable[..., object]) -> None:
    model, size = make_network(f"timm/{name}")
    check_network(model, (3, size, size), occlusion=name in OCCLUDED, index=noise(4) if name in INDEXED else None)
