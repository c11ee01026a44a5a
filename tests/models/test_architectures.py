"""The architectures that `load_model` can build."""

import pytest
import torch
from torch import nn

from deconvwidgets.errors import ModelError
from deconvwidgets.models import architectures
from deconvwidgets.models.torchvision_import import import_torchvision
from deconvwidgets.models.zfnet import ZFNet
from deconvwidgets.models.zoo import load_model


def test_efficientnet_lite0_can_be_traced():
    model = load_model("efficientnet_lite0").model
    batch = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(torch.fx.symbolic_trace(model)(batch), model(batch))


def test_zfnet_has_the_papers_maps():
    maps, batch = [], torch.zeros(1, 3, 224, 224)
    for module in ZFNet().eval().features:
        batch = module(batch)
        if isinstance(module, nn.Conv2d | nn.MaxPool2d):
            maps.append(tuple(batch.shape[1:]))
    assert maps == [(96, 110, 110), (96, 55, 55), (256, 26, 26), (256, 13, 13), (384, 13, 13), (384, 13, 13), (256, 13, 13), (256, 6, 6)]
    with pytest.raises(ModelError, match="weights=None"):
        load_model("zfnet")


def test_all_classification_models_of_torchvision_are_available():
    models = import_torchvision().models
    assert set(models.list_models(module=models)) | {"zfnet", "efficientnet_lite0"} == set(architectures.model_names())
    for name in architectures.model_names():
        assert architectures.transform_of(name).input_size[0] == 3


FAMILIES = (
    "alexnet vgg11 vgg16_bn squeezenet1_0 resnet18 resnext50_32x4d wide_resnet50_2 densenet121 googlenet inception_v3 mobilenet_v2 "
    "mobilenet_v3_small shufflenet_v2_x0_5 mnasnet0_5 efficientnet_b0 efficientnet_v2_s convnext_tiny zfnet efficientnet_lite0"
)


@pytest.mark.parametrize("name", FAMILIES.split())
def test_the_last_layer_is_the_classifier(name):
    """`fit_into` reads the number of classes from it."""
    with torch.device("meta"):
        last = [m for m in architectures.build_random(name, 7).modules() if isinstance(m, nn.Linear | nn.Conv2d)][-1]
    assert last.weight.shape[0] == 7
