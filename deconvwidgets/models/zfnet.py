"""The network of Zeiler & Fergus 2014, figure 3, with its contrast normalisation. No weights of it are published."""

from __future__ import annotations

from torch import Tensor, nn


def _contrast_norm() -> nn.Module:
    """Across five neighbouring maps, with the constants of Krizhevsky et al. 2012, section 3.3.

    `alpha` is given per window of five here: nn.LocalResponseNorm divides it by the window's size.
    """
    return nn.LocalResponseNorm(size=5, alpha=5e-4, beta=0.75, k=2.0)


def _pool() -> nn.Module:
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


class ZFNet(nn.Module):
    """Input (N, 3, 224, 224); output (N, classes) logits.

    Maps: conv1 96 x 110 x 110, pool1 55, conv2 256 x 26 x 26, pool2 13, conv3 and conv4 384 x 13 x 13, conv5 256 x 13 x 13, pool5 6.
    """

    def __init__(self, num_classes: int = 1000) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 96, 7, stride=2, padding=1),
            nn.ReLU(inplace=True),
            _pool(),
            _contrast_norm(),
            nn.Conv2d(96, 256, 5, stride=2),
            nn.ReLU(inplace=True),
            _pool(),
            _contrast_norm(),
            nn.Conv2d(256, 384, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 384, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            _pool(),
        )
        self.classifier = nn.Sequential(
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(),
            nn.Linear(4096, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes)."""
        logits: Tensor = self.classifier(self.features(x).flatten(1))
        return logits
