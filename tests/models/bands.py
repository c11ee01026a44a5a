"""A model whose inputs have any number of channels, such as the bands of a satellite image."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

import deconvwidgets as dw

SIZE = 16


def bands_of(channels):
    """Return a transform that makes an input of so many channels: powers of the colours, centred."""

    def transform(image):
        colours = torch.from_numpy(np.asarray(image.resize((SIZE, SIZE)), np.float32) / 255).permute(2, 0, 1)
        return torch.stack([colours[channel % 3] ** (1 + channel // 3) for channel in range(channels)]) - 0.5

    return transform


def make_bands_bundle(channels, display_channels=None):
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(channels, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 5, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(5 * 49, 3)
    )
    return dw.ModelBundle.from_module(
        net.eval(), bands_of(channels), ["ant", "bee", "cow"], (channels, SIZE, SIZE), "bands", display_channels=display_channels
    )
