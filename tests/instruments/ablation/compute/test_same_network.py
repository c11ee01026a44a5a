"""Whether a variant in the folder of a study is the network that was trained there: another one of the same name is refused."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from deconvwidgets.errors import AblationError
from deconvwidgets.instruments.ablation.compute.digest import network_digest
from tests.instruments.ablation.conftest import study_of

ONCE = {"seeds": 1, "epochs": 1}


def strided(classes: int, stride: int = 4) -> nn.Module:
    layers = [nn.Conv2d(3, 4, 5, stride=stride), nn.ReLU(), nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(16, classes)]
    return nn.Sequential(*layers)


def test_another_stride_is_another_network(coloured: Any, tmp_path: Path) -> None:
    first = study_of(coloured, tmp_path, {"a": strided}, **ONCE).runs  # read from the folder
    kept = (tmp_path / "study.json").read_bytes()
    counts = {sum(value.numel() for value in strided(3, stride).parameters()) for stride in (1, 4)}
    assert counts == {4 * 3 * 25 + 4 + 16 * 3 + 3}  # the numbers of parameters do not tell them apart
    with pytest.raises(AblationError, match=r"another network 'a'.*use another name or folder, or pass overwrite=True"):
        study_of(coloured, tmp_path, {"a": partial(strided, stride=1)}, **ONCE)
    assert (tmp_path / "study.json").read_bytes() == kept
    again = study_of(coloured, tmp_path, {"a": partial(strided, stride=4), "b": partial(strided, stride=1)}, **ONCE).runs
    assert again[0] == first[0]
    assert [run.complete for run in again] == [True, True]
    over = study_of(coloured, tmp_path, {"a": partial(strided, stride=1)}, overwrite=True, **ONCE)
    assert over.runs[0].top1_error == again[1].top1_error


def test_other_given_weights_are_another_network(coloured: Any, tmp_path: Path) -> None:
    one, other = strided(3), strided(3)
    study_of(coloured, tmp_path, {"a": one}, **ONCE)
    study_of(coloured, tmp_path, {"a": one}, **ONCE)
    with pytest.raises(AblationError, match="another network 'a'"):
        study_of(coloured, tmp_path, {"a": other}, **ONCE)


class Own(nn.Module):
    """A network whose stride is an attribute that only its code reads."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.weight, self.stride = nn.Parameter(torch.zeros(2, 3, 3, 3)), stride

    def forward(self, x: Tensor) -> Tensor:
        return torch.conv2d(x, self.weight, stride=self.stride).amax((2, 3))


def test_the_digest_is_of_settings_and_given_weights_only() -> None:
    assert network_digest(strided(3)) == network_digest(strided(3))  # other initial weights
    assert network_digest(Own(1)) == network_digest(Own(1)) != network_digest(Own(2))
    model, frozen = Own(1), Own(1).requires_grad_(False)
    assert network_digest(model) != network_digest(frozen)
    norm = nn.BatchNorm2d(2).to(torch.bfloat16)
    before = network_digest(norm, norm)
    norm.running_mean[1] = 1  # type: ignore[index]
    assert network_digest(norm, norm) != before


def test_another_optimizer_of_the_same_name_is_another_study(coloured: Any, tmp_path: Path) -> None:
    slow, fast = (lambda parameters, lr=lr: torch.optim.SGD(parameters, lr=lr) for lr in (1e-3, 1e-1))
    study_of(coloured, tmp_path, {"a": strided}, optimizer=slow, **ONCE)
    with pytest.raises(AblationError, match="a study with optimizer="):
        study_of(coloured, tmp_path, {"a": strided}, optimizer=fast, **ONCE)
