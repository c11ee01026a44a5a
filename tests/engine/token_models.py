"""Small transformers with random weights, whose scales and tokens that start at 0 or 1 are random, too. Tests do not change them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import nn

from deconvwidgets.models.torchvision_import import import_torchvision

SIZE = (3, 32, 32)
_TIMM: dict[str, Any] = {"img_size": 32, "patch_size": 8, "embed_dim": 16, "depth": 1, "num_heads": 2, "num_classes": 5}


def randomised(model: nn.Module) -> nn.Module:
    """Return a model in eval mode and float64, with noise added to all parameters."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model.double().eval()


@cache
def torchvision_vit() -> nn.Module:
    """Return torchvision's VisionTransformer with two blocks and a class token."""
    return randomised(import_torchvision().models.VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=5))


@cache
def torchvision_swin() -> nn.Module:
    """Return torchvision's SwinTransformer with two stages and shifted windows."""
    return randomised(import_torchvision().models.SwinTransformer([4, 4], 12, [2, 1], [2, 4], [4, 4], num_classes=5))


def timm_vit(name: str = "vit_tiny_patch16_224", **settings: Any) -> nn.Module:
    """Return a VisionTransformer of timm with one block."""
    timm = pytest.importorskip("timm", reason="timm is not installed: pip install 'deconvwidgets[timm]'")
    return randomised(timm.create_model(name, **{**_TIMM, **settings}))


def huggingface_vit() -> nn.Module:
    """Return the ViT of transformers with one block."""
    import_torchvision()
    transformers = pytest.importorskip("transformers", reason="transformers is not installed: pip install 'deconvwidgets[huggingface]'")
    config = transformers.ViTConfig(
        image_size=32, patch_size=8, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    return randomised(transformers.ViTForImageClassification(config))


# A model, the name of a block, and how many tokens come before those of the grid; None for maps (N, H, W, C).
TRANSFORMERS: dict[str, tuple[Callable[[], nn.Module], str, int | None]] = {
    "torchvision ViT": (torchvision_vit, "encoder.layers.encoder_layer_1", 1),
    "torchvision Swin": (torchvision_swin, "features.3.0", None),
    "timm ViT": (timm_vit, "blocks.0", 1),
    "timm ViT without class token": (lambda: timm_vit(class_token=False, global_pool="avg"), "blocks.0", 0),
    "timm ViT with registers": (lambda: timm_vit("vit_small_patch14_reg4_dinov2"), "blocks.0", 5),
    "timm DeiT, distilled": (lambda: timm_vit("deit_tiny_distilled_patch16_224"), "blocks.0", 2),
    "Hugging Face ViT": (huggingface_vit, "vit.layers.0", 1),
}
