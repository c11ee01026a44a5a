"""Train the small network on 14 classes of Caltech-101, and write the checkpoints that come with the package.

    python benchmarks/make_evolution_checkpoints.py --out deconvwidgets/checkpoints/caltech14

It needs Caltech-101 in the folder of DECONVWIDGETS_DATA, and takes a few minutes on a CPU. Weights are trained in float32 and stored in
float16, which halves the files; the accuracy of the stored weights is printed beside that of the trained ones.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import torch

import deconvwidgets as dw
from deconvwidgets.checkpoints.checkpoint_file import read_checkpoint_file, write_checkpoint
from deconvwidgets.checkpoints.description import DESCRIPTION_FILE
from deconvwidgets.checkpoints.log_file import LOG_FILE
from deconvwidgets.models.small_convnet import SmallConvNet

CLASSES = (
    "accordion", "car_side", "dollar_bill", "electric_guitar", "grand_piano", "inline_skate", "minaret", "pagoda", "soccer_ball",
    "stop_sign", "sunflower", "trilobite", "windsor_chair", "yin_yang",
)  # fmt: skip
EPOCHS = (0, 1, 2, 5, 10, 15, 20, 30)


def learning_rate(epoch: int) -> float:
    """Return the learning rate of an epoch, counted from 0."""
    return 1e-2 if epoch < 20 else 2e-3


def train(folder: Path, seed: int) -> dw.Checkpoints:
    images = dw.open_images("caltech101").only_classes(CLASSES)
    recipe = dw.Recipe(
        epochs=EPOCHS[-1], save_epochs=EPOCHS, batch_size=16, schedule=learning_rate, validation_share=0.25, seed=seed
    )  # fmt: skip
    trained = dw.train(SmallConvNet, images, recipe, out=folder, input_size=64, name="small convnet")
    return trained.checkpoints


def store(folder: Path, out: Path) -> None:
    """Copy a training, with its weights in float16."""
    out.mkdir(parents=True, exist_ok=True)
    for epoch in EPOCHS:
        state = read_checkpoint_file(folder / f"epoch-{epoch:04d}.safetensors").state
        write_checkpoint(out, epoch, {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()})
    for name in (DESCRIPTION_FILE, LOG_FILE):
        shutil.copy(folder / name, out / name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="where to write the checkpoints")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help="the folder of the training, which can be resumed; a temporary one by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.work or Path(temporary) / "training"
        trained = train(folder, options.seed)
        store(folder, options.out)
        stored = dw.open_checkpoints(options.out, build=SmallConvNet)
        pixels = torch.rand(64, 3, 64, 64)
        for epoch in EPOCHS:
            with torch.no_grad():
                logits, halved = (checkpoints.bundle(epoch).model(pixels) for checkpoints in (trained, stored))
            print(f"epoch {epoch}: logits of the stored weights differ by {float((logits - halved).abs().max()):.1e} at most")
        print(f"{sum(path.stat().st_size for path in options.out.iterdir()) / 1e6:.2f} MB in {options.out}")


if __name__ == "__main__":
    main()
