"""A small convolutional network for inputs of 64 x 64 pixels, whose checkpoints come with the package."""

from __future__ import annotations

from torch import Tensor, nn


class SmallConvNet(nn.Module):
    """Four convolutions with pools that overlap, as in Zeiler & Fergus 2014, and one linear layer: 117,000 parameters for 14 classes.

    The input is (N, 3, 64, 64); the output is (N, classes), logits.

    Parameters
    ----------
    classes : int
        The number of classes.

    Examples
    --------
    >>> import torch
    >>> net = SmallConvNet(14).eval()
    >>> net(torch.rand(2, 3, 64, 64)).shape
    torch.Size([2, 14])
    """

    def __init__(self, classes: int = 14) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 24, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
            nn.Conv2d(24, 48, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
            nn.Conv2d(48, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
            nn.Conv2d(64, 96, 3, padding=1), nn.ReLU(),
        )  # fmt: skip
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.dropout = nn.Dropout(0.5)
        self.classifier = nn.Linear(96 * 4, classes)
        for module in self.features:
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type] # a convolution with biases

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.classifier(self.dropout(self.pool(self.features(pixels)).flatten(1)))
        return logits
