"""The networks of the sweep, with random weights: all of torchvision, and one of each family of timm that is a CNN or nearly one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from deconvwidgets.models.torchvision_import import import_torchvision

TIMM = {
    "resnet18": 96, "resnetv2_50": 96, "resnext26ts": 96, "seresnet18": 96, "skresnet18": 96, "resnest14d": 96, "res2net50_14w_8s": 96,
    "ecaresnet26t": 96, "gcresnext26ts": 96, "densenet121": 96, "dla34": 96, "dpn48b": 96, "efficientnet_lite0": 96,
    "tf_efficientnetv2_b0": 96, "mobilenetv3_small_050": 96, "mobilenetv4_conv_small": 96, "ghostnet_050": 96, "repghostnet_050": 96,
    "hardcorenas_a": 96, "lcnet_035": 96, "hgnetv2_b0": 96, "hrnet_w18_small": 96, "inception_v4": 128, "inception_resnet_v2": 128,
    "xception41": 96, "nasnetalarge": 128, "pnasnet5large": 128, "nf_resnet26": 96, "dm_nfnet_f0": 96, "regnetx_002": 96, "repvgg_a0": 96,
    "rexnet_100": 96, "selecsls42": 96, "cspresnet50": 96, "darknet17": 96, "vovnet39a": 96, "tresnet_m": 96, "starnet_s1": 96,
    "fasternet_t0": 96, "convnext_atto": 96, "convmixer_768_32": 98, "edgenext_xx_small": 128, "inception_next_atto": 96,
    "mambaout_femto": 96, "repvit_m0_9": 96, "mobileone_s0": 96, "poolformer_s12": 96, "focalnet_tiny_srf": 96, "visformer_tiny": 224,
    "coat_lite_tiny": 224, "vgg11_bn": 96, "efficientvit_b0": 96, "fastvit_t8": 128, "mobilevit_xxs": 96, "levit_128s": 224,
    "legacy_senet154": 96, "rdnet_tiny": 96, "shvit_s1": 224, "vit_tiny_patch16_224": 224,
}  # fmt: skip
"""The smallest network of each family of timm, and the size of its input."""

TORCHVISION_SIZES = {
    "alexnet": 128, "inception_v3": 128, "maxvit_t": 224, "vit_b_16": 224, "vit_b_32": 224, "vit_l_16": 224, "vit_l_32": 224,
    "vit_h_14": 224,
}  # fmt: skip
TORCHVISION_DEFAULT_SIZE = 96


def torchvision_names() -> list[str]:
    """Return the names of all classification networks of torchvision."""
    models = import_torchvision().models
    return [str(name) for name in models.list_models(module=models)]


def small_variants() -> dict[str, Callable[[], nn.Module]]:
    """Return small networks of torchvision's classes for families whose smallest network takes long. Their inputs are 64 x 64."""
    models = import_torchvision().models
    swin = {"embed_dim": 12, "depths": [2, 2], "num_heads": [2, 4], "num_classes": 10}
    blocks = [models.convnext.CNBlockConfig(8, 12, 2), models.convnext.CNBlockConfig(12, None, 2)]
    block, merging = models.swin_transformer.SwinTransformerBlockV2, models.swin_transformer.PatchMergingV2
    return {
        "small swin": lambda: models.SwinTransformer([4, 4], window_size=[4, 4], **swin),
        "small swin_v2": lambda: models.SwinTransformer([4, 4], window_size=[8, 8], block=block, downsample_layer=merging, **swin),
        "small vit": lambda: models.VisionTransformer(64, 16, 2, 2, 32, 64, num_classes=10),
        "small convnext": lambda: models.ConvNeXt(blocks, num_classes=10),
        "small maxvit": lambda: models.MaxVit((64, 64), 8, 4, [8, 16], [1, 1], 4, 0.0, num_classes=10),
    }


def make_network(name: str) -> tuple[nn.Module, int]:
    """Return a network with random weights in eval mode, and the size of its input.

    Names of timm begin with "timm/", those of `small_variants` with "small ".
    """
    torch.manual_seed(0)
    if name.startswith("small "):
        return small_variants()[name]().eval(), 64
    models = import_torchvision().models
    if name.startswith("timm/"):
        import timm

        size = TIMM[name.removeprefix("timm/")]
        sized = {"img_size": size} if "vit_tiny" in name else {}
        return timm.create_model(name.removeprefix("timm/"), pretrained=False, **sized).eval(), size
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    return models.get_model(name, weights=None, **options).eval(), TORCHVISION_SIZES.get(name, TORCHVISION_DEFAULT_SIZE)
