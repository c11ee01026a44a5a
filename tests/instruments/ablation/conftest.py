"""Small studies for the tests of the ablation instrument."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from torch import nn

import deconvwidgets as dw
from tests.instruments.training.compute.conftest import coloured, coloured_folder

__all__ = ["coloured", "coloured_folder"]  # pytest finds fixtures by name

QUICK: dict[str, Any] = {"input_size": 24, "epochs": 2, "batch_size": 16, "learning_rate": 0.05}


def net(classes: int, maps: int = 6, hidden: bool = True, any_size: bool = False) -> nn.Module:
    inputs = 9 * maps
    middle = [nn.Linear(inputs, 12), nn.ReLU(), nn.Dropout(0.3)] if hidden else []
    last = nn.Linear(12 if hidden else inputs, classes)
    pool = nn.AdaptiveMaxPool2d(3) if any_size else nn.MaxPool2d(3)  # dw.surgery does not resize below an adaptive one
    return nn.Sequential(nn.Conv2d(3, maps, 5, stride=2), nn.ReLU(), pool, nn.Flatten(), *middle, last)


SPECS: dict[str, Callable[[int], nn.Module]] = {"whole": net, "without hidden": partial(net, hidden=False), "2 maps": partial(net, maps=2)}


def study_of(images: Any, out: Path, specs: Any = None, **options: Any) -> dw.AblationStudy:
    """Train a small study without printing, on the CPU."""
    return dw.run_ablation(
        SPECS if specs is None else specs, images, out=out, **{"seeds": 2, "device": "cpu", "progress": False, **QUICK, **options}
    )


@pytest.fixture(scope="session")
def study(coloured: Any, tmp_path_factory: pytest.TempPathFactory) -> dw.AblationStudy:
    """Three variants with two seeds each, trained. Tests do not change it."""
    return study_of(coloured, tmp_path_factory.mktemp("study"))
