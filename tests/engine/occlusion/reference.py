"""A reference implementation of occlusion, and patches to test it with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from deconvwidgets.engine.occlusion.patches import PatchSet
from deconvwidgets.records.geometry import Box


def occlude_by_pixels(
    model: nn.Module, layer: nn.Module | None, image: Tensor, fill: Tensor, patch_sets: Sequence[PatchSet]
) -> tuple[Tensor, Tensor]:
    """Return the layer's maps (N, C, h, w) and the model's outputs. The images are occluded pixel by pixel, and run one by one."""
    maps, outputs = [], []
    handle = (layer or model).register_forward_hook(lambda module, args, output: maps.append(output.clone()))
    for patches in patch_sets:
        occluded = image.clone()
        for left, top, right, bottom in patches:
            for row in range(max(top, 0), min(bottom, image.shape[2])):
                for column in range(max(left, 0), min(right, image.shape[3])):
                    occluded[0, :, row, column] = fill[:, row, column]
        with torch.no_grad():
            outputs.append(model(occluded))
    handle.remove()
    return torch.cat(maps), torch.cat(outputs)


def corners_and_middle(height: int, width: int, size: tuple[int, int]) -> list[list[Box]]:
    """Return patch sets of one patch at corners, borders and inside of an image, partly beyond it."""
    rows = [-size[0] // 2, 0, 5, (height - size[0]) // 2, height - size[0], height - size[0] // 2]
    columns = [-size[1] // 2, 0, 7, (width - size[1]) // 2, width - size[1], width - size[1] // 2]
    return [[(column, row, column + size[1], row + size[0])] for row in rows for column in columns]
