"""A training as a script, for tests that kill it or run it under torchrun: python training_script.py IMAGES FOLDER [epochs]."""

import sys
import time

import torch
from torch import nn

import deconvwidgets as dw
from deconvwidgets.compute.job import JobContext


def with_dropout(classes):
    return nn.Sequential(
        nn.Conv2d(3, 6, 5, stride=2), nn.ReLU(), nn.Dropout(0.3), nn.AdaptiveMaxPool2d(3), nn.Flatten(), nn.Linear(54, classes)
    )  # fmt: skip


def main(images, folder, pause=0.0):
    torch.set_num_threads(1)
    dw.train(
        with_dropout, dw.open_images(images), out=folder, input_size=24, epochs=4, batch_size=14, state_seconds=0, device="cpu",
        progress=False, job=JobContext(on_progress=lambda progress: time.sleep(pause)),
    )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(float, sys.argv[3:]))
