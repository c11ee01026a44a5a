"""The activation index beside zennit-crp's FeatureVisualization: the same model, photographs and criterion (each map's maximum).

Run in an environment of its own, with `pip install "zennit<=0.4.6" zennit-crp` beside the package:

    python benchmarks/index_crp.py [--photographs 256] [--rounds 3]

Both decode the JPEG files of Caltech-101. FeatureVisualization is called as in its tutorial, with torchvision's AlexNet and the composite
EpsilonPlusFlat. It also ranks by relevance, in the same pass, which cannot be switched off; `--least` makes that as cheap as it can be:
only the convolutions, and plain gradients.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import deconvwidgets as dw
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.torchvision_import import import_torchvision

LAYERS = ("features.0", "features.3", "features.6", "features.8", "features.10")


class Photographs(torch.utils.data.Dataset[Any]):
    """The image set, as FeatureVisualization reads it."""

    def __init__(self, bundle: ModelBundle, images: ImageSet) -> None:
        self.bundle, self.images = bundle, images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, number: int) -> tuple[torch.Tensor, int]:
        return self.bundle.prepare(self.images.open_crop(number)), 0


def alexnet(bundle: ModelBundle) -> nn.Module:
    """Return torchvision's AlexNet with the convolutions of the bundle, and random fully connected layers."""
    model = import_torchvision().models.alexnet(weights=None).eval()
    model.features.load_state_dict(bundle.model.get_submodule("features").state_dict())
    assert isinstance(model, nn.Module)
    return model


class Trunk(nn.Module):
    """The convolutions, with the mean of each map as the answer: the least that FeatureVisualization can be given."""

    def __init__(self, bundle: ModelBundle) -> None:
        super().__init__()
        self.features = copy.deepcopy(bundle.model.get_submodule("features"))

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return self.features(batch).mean((2, 3))


def with_crp(bundle: ModelBundle, images: ImageSet, folder: Path, least: bool) -> tuple[float, dict[str, Any]]:
    """Return the seconds of FeatureVisualization's pass, and its (values, photographs) by layer."""
    from crp.attribution import CondAttribution
    from crp.concepts import ChannelConcept
    from crp.visualization import FeatureVisualization
    from zennit.composites import EpsilonPlusFlat

    visualization = FeatureVisualization(
        CondAttribution(Trunk(bundle) if least else alexnet(bundle), device="cpu"),
        Photographs(bundle, images),
        {name: ChannelConcept() for name in LAYERS},
        max_target="max",
        abs_norm=False,
        path=str(folder),
        device="cpu",
    )
    started = time.perf_counter()
    visualization.run(None if least else EpsilonPlusFlat(), 0, len(images), batch_size=32, checkpoint=500)
    seconds = time.perf_counter() - started
    found = {}
    for name in LAYERS:
        stem = folder / "ActMax_max_unnormed" / f"{name}_"
        found[name] = (np.load(f"{stem}rel.npy")[:9].T, np.load(f"{stem}data.npy")[:9].T)
    return seconds, found


def with_index(bundle: ModelBundle, images: ImageSet) -> tuple[float, dict[str, Any]]:
    """Return the seconds of the index's pass over the same maps, and its (values, photographs) by layer."""
    started = time.perf_counter()
    index = dw.ActivationIndex.build(bundle, images, layers=LAYERS, k=9, progress=False)
    seconds = time.perf_counter() - started
    return seconds, {name: (index.values(name), index.image_ids(name)) for name in LAYERS}


def agreement(ours: dict[str, Any], theirs: dict[str, Any]) -> tuple[float, float]:
    """Return the largest relative difference of the strongest values, and the share of first places with the same photograph."""
    difference = max(float(np.abs(ours[name][0][:, 0] - theirs[name][0][:, 0]).max() / np.abs(ours[name][0]).max()) for name in LAYERS)
    same = np.concatenate([ours[name][1][:, 0] == theirs[name][1][:, 0] for name in LAYERS])
    return difference, float(same.mean())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--photographs", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--least", action="store_true", help="spare it the fully connected layers and the relevance rules")
    options = parser.parse_args()
    bundle, images = dw.load_model("alexnet"), dw.open_images("caltech101", limit=options.photographs)
    seconds: dict[str, list[float]] = {"zennit-crp": [], "deconvwidgets": []}
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            theirs_seconds, theirs = with_crp(bundle, images, Path(folder), options.least)
        ours_seconds, ours = with_index(bundle, images)
        seconds["zennit-crp"].append(theirs_seconds)
        seconds["deconvwidgets"].append(ours_seconds)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, median in medians.items():
        print(f"{name:15} {len(images) / median:7.1f} photographs/s")
    difference, same = agreement(ours, theirs)
    print(f"ratio {medians['zennit-crp'] / medians['deconvwidgets']:.1f}")
    print(f"strongest values differ by {difference:.1e} at most; first places: {same:.1%} equal")


if __name__ == "__main__":
    main()
