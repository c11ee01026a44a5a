"""The network of Zeiler & Fergus 2014, figure 3. No weights are published."""

from __future__ import annotations

from torch import Tensor, nn


def _contrast_norm() -> nn.Module:
    """Return the normalisation over five neighbouring maps of Krizhevsky et al. 2012, section 3.3.

    nn.LocalResponseNorm divides `alpha` by the number of maps, so it is 5 * 1e-4 here.
    """
    return nn.LocalResponseNorm(size=5, alpha=5e-4, beta=0.75, k=2.0)


def _pool() -> nn.Module:
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


class ZFNet(nn.Module):
    """ZFNet. The input is (N, 3, 224, 224); the output is logits (N, classes).

    The feature maps are conv1 96 x 110 x 110, pool1 96 x 55 x 55, conv2 256 x 26 x 26, pool2 256 x 13 x 13, conv3 and conv4
    384 x 13 x 13, conv5 256 x 13 x 13 and pool5 256 x 6 x 6.
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
        """Return logits (N, classes)."""
        logits: Tensor = self.classifier(self.features(x).flatten(1))
        return logits
