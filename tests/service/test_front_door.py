"""Common mistakes of new users raise errors with advice."""

from __future__ import annotations

import pytest
from PIL import Image
from torch import nn

import deconvwidgets as dw
from deconvwidgets.errors import ModelError, PictureError, ServiceError


def test_arguments_of_the_wrong_type_raise_errors_with_advice() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()
    image = Image.new("RGB", (32, 32), (200, 30, 30))
    bundle, images = dw.ModelBundle.from_module(net, input_size=(3, 32, 32), name="tiny"), dw.open_images([image])
    for call in (
        lambda: dw.LocalModelService(net, images),
        lambda: dw.ActivationIndex.build(net, images),
        lambda: dw.project(net, image, "0", unit=0),
    ):
        with pytest.raises(ModelError, match=r"not a Sequential.*from_module"):
            call()
    with pytest.raises(ModelError, match="not 'alexnet'"):
        dw.project("alexnet", image, "conv1", unit=0)
    for call in (lambda: dw.LocalModelService(bundle, "a/folder"), lambda: dw.ActivationIndex.build(bundle, "a/folder")):
        with pytest.raises(PictureError, match=r"not 'a/folder'.*open_images"):
            call()
    with pytest.raises(ServiceError, match=r"LocalModelService\(bundle, images\)"):
        dw.LayerExplorer(bundle)
    mlp = dw.ModelBundle.from_module(nn.Sequential(nn.Flatten(), nn.Linear(48, 2)).eval(), input_size=(3, 4, 4), name="mlp")
    with pytest.raises(ServiceError, match="no feature maps"):
        dw.LocalModelService(mlp, images)


def test_layers_can_be_a_name_and_duplicates_are_removed() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()
    bundle = dw.ModelBundle.from_module(net, input_size=(3, 32, 32), name="tiny")
    images = dw.open_images([Image.new("RGB", (32, 32), (200, 30, 30))])
    assert [info.alias for info in dw.ActivationIndex.build(bundle, images, layers="conv1", progress=False).layers] == ["conv1"]
    assert len(dw.ActivationIndex.build(bundle, images, layers=["conv1", "1"], progress=False).layers) == 1
