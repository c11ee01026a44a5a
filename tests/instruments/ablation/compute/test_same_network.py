"""Whether a variant in the folder of a study is the network that was trained there: another one of the same name is refused."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import deconvwidgets as dw
from deconvwidgets.errors import AblationError
from deconvwidgets.models.network_digest import network_digest, settings_digest
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
    assert settings_digest(model) == settings_digest(frozen) != settings_digest(Own(2))
    pools = [nn.AvgPool2d(2, ceil_mode=ceil_mode) for ceil_mode in (False, True)]  # the representation does not show it
    assert settings_digest(pools[0]) != settings_digest(pools[1])
    norm = nn.BatchNorm2d(2).to(torch.bfloat16)
    before = network_digest(norm, norm)
    norm.running_mean[1] = 1  # type: ignore[index]
    assert network_digest(norm, norm) != before


def test_another_optimizer_of_the_same_name_is_another_study(coloured: Any, tmp_path: Path) -> None:
    slow, fast = (lambda parameters, lr=lr: torch.optim.SGD(parameters, lr=lr) for lr in (1e-3, 1e-1))
    study_of(coloured, tmp_path, {"a": strided}, optimizer=slow, **ONCE)
    with pytest.raises(AblationError, match="a study with optimizer="):
        study_of(coloured, tmp_path, {"a": strided}, optimizer=fast, **ONCE)


def test_a_redefined_optimizer_of_the_same_name_is_another_study(coloured: Any, tmp_path: Path) -> None:
    names: list[dict[str, Any]] = [{"torch": torch}, {"torch": torch}]
    for rate, defined in zip(("1e-3", "1e-1"), names, strict=True):
        exec(f"def own(parameters): return torch.optim.SGD(parameters, lr={rate})", defined)
    study_of(coloured, tmp_path, {"a": strided}, optimizer=names[0]["own"], **ONCE)
    with pytest.raises(AblationError, match=r"another optimizer \(a function of the same name with other code\)"):
        study_of(coloured, tmp_path, {"a": strided}, optimizer=names[1]["own"], **ONCE)


def test_networks_are_opened_only_by_what_builds_them(coloured: Any, tmp_path: Path) -> None:
    given = strided(3)
    study_of(coloured, tmp_path, {"a": strided, "given": given}, **ONCE)
    path = tmp_path / "study.json"
    plain = json.loads(path.read_text())
    earlier = {name: digests.split()[0] for name, digests in plain["networks"].items()}
    for networks, known in ((plain["networks"], True), (earlier, True), ({}, False)):
        path.write_text(json.dumps(plain | {"networks": networks}))
        study = dw.AblationStudy(tmp_path, build={"a": partial(strided, stride=1), "given": strided(3)})
        if known:
            with pytest.raises(AblationError, match=r"build\['a'\] is another network than that of the study"):
                study.bundle("a")
        assert torch.equal(study.checkpoints("given").bundle(0).model[0].weight, given[0].weight)  # type: ignore[index]
        assert dw.AblationStudy(tmp_path, build={"a": strided}).bundle("a").categories is not None
    path.write_text(json.dumps(plain))
    with pytest.raises(AblationError, match=r"build\['given'\] is another network"):
        dw.AblationStudy(tmp_path, build={"given": strided(3, 2)}).bundle("given")
    path.write_text(json.dumps(plain | {"networks": earlier}))
    assert study_of(coloured, tmp_path, {"a": strided, "given": given}, **ONCE).table.complete == 2
