"""EfficientNet-Lite0: EfficientNet-B0 (Tan & Le 2019) without squeeze-and-excitation and with ReLU6.

All of its operations have a deconvnet rule. The parameter names are those of the published checkpoint (`_conv_stem`, `_bn0`,
`_blocks.i...`, `_conv_head`, `_bn1`, `_fc`).
"""

from __future__ import annotations

from torch import Tensor, nn

_EPSILON = 1e-3  # TensorFlow's default; the weights were trained there

# (repeats, kernel, stride, expansion, output channels) of each stage; Tan & Le 2019, table 1
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM_CHANNELS = 32
_HEAD_CHANNELS = 1280


def _same_padding(kernel: int, stride: int) -> nn.Module:
    """Return TensorFlow's "same" padding for inputs with even sides.

    With stride 2 the padding is asymmetric (one more row at the bottom and one more column on the right), which nn.Conv2d does not
    support. It is exact for sides divisible by 32 (224, 256, ...).
    """
    total = kernel - stride
    before = total // 2
    return nn.ZeroPad2d((before, total - before, before, total - before))


class InvertedResidual(nn.Module):
    """Expand channels by a 1x1 convolution, convolve each channel, project by a 1x1 convolution; add the input if shapes are equal."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = inputs * expansion
        self._expands = expansion != 1
        self._adds = stride == 1 and inputs == outputs
        if self._expands:
            self._expand_conv = nn.Conv2d(inputs, width, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(width, eps=_EPSILON)
            self._relu0 = nn.ReLU6()
        self._pad = _same_padding(kernel, stride)
        self._depthwise_conv = nn.Conv2d(width, width, kernel, stride, groups=width, bias=False)
        self._bn1 = nn.BatchNorm2d(width, eps=_EPSILON)
        self._relu1 = nn.ReLU6()
        self._project_conv = nn.Conv2d(width, outputs, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(outputs, eps=_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H / stride, W / stride)."""
        y = x
        if self._expands:
            y = self._relu0(self._bn0(self._expand_conv(y)))
        y = self._relu1(self._bn1(self._depthwise_conv(self._pad(y))))
        y = self._bn2(self._project_conv(y))
        outputs: Tensor = x + y if self._adds else y
        return outputs


def _stage_blocks() -> list[nn.Module]:
    blocks: list[nn.Module] = []
    channels = _STEM_CHANNELS
    for repeats, kernel, stride, expansion, outputs in _STAGES:
        for repeat in range(repeats):
            blocks.append(InvertedResidual(channels, outputs, kernel, stride if repeat == 0 else 1, expansion))
            channels = outputs
    return blocks


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0.

    The input is (N, 3, H, W) with H and W divisible by 32 and pixels normalised as (pixel - 127) / 128; the output is logits
    (N, classes).
    """

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self._pad = _same_padding(3, 2)
        self._conv_stem = nn.Conv2d(3, _STEM_CHANNELS, 3, 2, bias=False)
        self._bn0 = nn.BatchNorm2d(_STEM_CHANNELS, eps=_EPSILON)
        self._relu0 = nn.ReLU6()
        self._blocks = nn.Sequential(*_stage_blocks())
        self._conv_head = nn.Conv2d(_STAGES[-1][-1], _HEAD_CHANNELS, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(_HEAD_CHANNELS, eps=_EPSILON)
        self._relu1 = nn.ReLU6()
        self._avg_pooling = nn.AdaptiveAvgPool2d(1)
        self._fc = nn.Linear(_HEAD_CHANNELS, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (N, classes)."""
        y = self._relu0(self._bn0(self._conv_stem(self._pad(x))))
        y = self._blocks(y)
        y = self._relu1(self._bn1(self._conv_head(y)))
        logits: Tensor = self._fc(self._avg_pooling(y).flatten(1))
        return logits
