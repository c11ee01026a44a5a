"""Train a network with an 11 x 11 / 4 first layer, change the layer, train both further, and write the study that comes with the package.

    python benchmarks/make_first_layer_study.py --out deconvwidgets/instruments/ablation/first_layer_study [--work folder] [--seeds 10]

1. The network is trained on 14 classes of Caltech-101; a quarter of the photographs is held out, the same one in all steps.
2. `dw.surgery.change_first_layer` resamples its filters to 7 x 7 at stride 2.
3. `dw.run_ablation` trains the network as it was and the changed one further, by the same recipe and with the same seeds.

It needs Caltech-101 in the folder of DECONVWIDGETS_DATA and takes about an hour on one core. The numbers of all runs are written, and the
weights, in float16, of the first seed's. Notebook 06 reads them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import torch
from make_evolution_checkpoints import CLASSES
from torch import nn

import deconvwidgets as dw
from deconvwidgets.checkpoints.checkpoint_file import read_checkpoint_file, write_checkpoint
from deconvwidgets.checkpoints.log_file import PROGRESS_FILE
from deconvwidgets.images.labels import labels_of
from deconvwidgets.images.splits import hold_out

BEFORE, AFTER = "11 x 11, stride 4", "7 x 7, stride 2"
EPOCHS, FURTHER_EPOCHS, INPUT_SIZE = 30, 15, 96


def network(classes: int) -> nn.Module:
    """Return the network: the same as in notebook 06."""
    return nn.Sequential(
        nn.Conv2d(3, 24, 11, stride=4, padding=5), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
        nn.Conv2d(24, 48, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
        nn.Conv2d(48, 64, 3, padding=1), nn.ReLU(),
        nn.Conv2d(64, 96, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(0.5), nn.Linear(96 * 4, classes),
    )  # fmt: skip


def main() -> None:
    """Train what is missing in the work folder, and write the study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where to write the study")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--work", type=Path, help="the folder of the trainings, which can be resumed; a temporary one by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        study = train(options.work or Path(temporary), options.seeds)
        print(study.table)
        store(study.folder, options.out)
    print(f"{sum(path.stat().st_size for path in options.out.rglob('*') if path.is_file()) / 1e6:.2f} MB in {options.out}")


def train(work: Path, seeds: int) -> dw.AblationStudy:
    """Train the network, and both arms further."""
    images = dw.open_images("caltech101").only_classes(CLASSES)
    held_out = hold_out(labels_of(images), 0.25, 0)
    photographs = {"images": images.subset(held_out.train), "validation": images.subset(held_out.test)}
    common = {"batch_size": 16, "input_size": INPUT_SIZE, "initial_std": None, "max_filter_rms": None}
    first = dw.train(
        network, out=work / "first", epochs=EPOCHS, save_epochs=(), schedule=lambda epoch: 1e-2 if epoch < 20 else 2e-3,
        name="small network", **photographs, **common,
    )  # fmt: skip
    arms = {BEFORE: first.bundle, AFTER: dw.surgery.change_first_layer(first.bundle, kernel_size=7, stride=2)}
    return dw.run_ablation(
        arms, seeds=seeds, out=work / "study", epochs=FURTHER_EPOCHS, save_epochs=(0,),
        schedule=lambda epoch: 5e-3 if epoch < 10 else 1e-3, **photographs, **common,
    )  # fmt: skip


def store(folder: Path, out: Path) -> None:
    """Copy a study: all its numbers, and the first seed's weights in float16."""
    for path in sorted(folder.rglob("*")):
        copied = out / path.relative_to(folder)
        if path.suffix == ".safetensors" and path.name.startswith("epoch-") and path.parent.name == "seed 0":
            state = read_checkpoint_file(path).state
            halved: dict[str, torch.Tensor] = {name: each.half() if each.is_floating_point() else each for name, each in state.items()}
            copied.parent.mkdir(parents=True, exist_ok=True)
            write_checkpoint(copied.parent, int(path.stem.removeprefix("epoch-")), halved)
        elif path.suffix in (".json", ".jsonl"):
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copied)
        if path.name == PROGRESS_FILE:  # not where it was trained
            plain = json.loads(path.read_text())
            copied.write_text(json.dumps({name: value for name, value in plain.items() if name not in ("process", "host")}))


if __name__ == "__main__":
    main()
