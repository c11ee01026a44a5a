"""Outputs of modules rearranged to maps by hand: the truth for layers whose module holds them in another order of axes."""

from __future__ import annotations

from torch import Tensor

from deconvwidgets.records.layers import LayerInfo


def as_map(output: Tensor, info: LayerInfo) -> Tensor:
    """Return the output of a module as maps (N, C, H, W), or unchanged if it is.

    Tokens of the grid are expected after all others, as in a ViT. Sizes tell the order: there should not be as many channels as rows.
    """
    sizes, positions = (info.channels, info.height, info.width), info.height * info.width
    if output.dim() == 2 or output.shape[1:] == sizes:
        return output
    if output.shape[1:] == (info.height, info.width, info.channels):
        return output.permute(0, 3, 1, 2)
    if output.dim() == 4:  # (N, heads, tokens, channels of a head)
        output = output.permute(0, 2, 1, 3).flatten(2)
    return output[:, output.shape[1] - positions :].transpose(1, 2).reshape(len(output), *sizes)
