"""`deconvwidgets freeze` and `check` with models of one's own, and their exit codes."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from deconvwidgets.cli import main

CODE = """
import torch
from torch import nn
import deconvwidgets as dw
from deconvwidgets.models.preprocess import Preprocess

def network():
    torch.manual_seed(0)
    convolutions = nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 8, 3, padding=1), nn.ReLU()
    return nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(4608, 3))

def as_bundle(net):
    transform = Preprocess(resize=24, crop=(24, 24), mean=(0.5,) * 3, std=(0.25,) * 3)
    return dw.ModelBundle.from_module(net.eval(), transform=transform, name="own", task=None)

def build():
    return as_bundle(network())

def pruned():
    net = network()
    with torch.no_grad():
        net[2].weight[3], net[2].bias[3] = 0.0, -1.0
    return as_bundle(net)

def swapped():
    net = network()
    with torch.no_grad():
        for tensor in (net[2].weight, net[2].bias):
            tensor[:2] = tensor[:2].flip(0).clone()
    return as_bundle(net)

def nothing():
    return 5

def failing():
    raise KeyError("lost")

def small():
    return torch.export.export(network().eval(), (torch.zeros(1, 3, 24, 24),))

def small_module():
    return small().module()

def plain():
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 8, 3, padding=1), nn.ReLU())

def exported():
    return torch.export.export(nn.Sequential(nn.Conv2d(3, 2, 3), nn.Dropout()).train(), (torch.zeros(1, 3, 224, 224),))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the user's code and 12 images."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "own_models", raising=False)
    monkeypatch.delitem(sys.modules, "own_file", raising=False)
    (tmp_path / "own_models.py").write_text(CODE)
    (tmp_path / "own_file.py").write_text(CODE)
    (tmp_path / "images").mkdir()
    generator = np.random.default_rng(0)
    for number in range(12):
        pixels = generator.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((24, 24), Image.Resampling.BICUBIC).save(tmp_path / "images" / f"{number}.png")
    return tmp_path


def run(command: str, *more: str) -> int:
    return main([*command.split(), "--images", "images", "--quiet", "--device", "cpu", *more])


def test_exit_codes_and_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("freeze --build own_models:build --out units.json") == 0
    assert "14 units of conv1, conv2" in capsys.readouterr().out
    assert run("check --against units.json --build own_models:build") == 0
    assert "Passed: own against own" in capsys.readouterr().out
    files = ["--html", "r.html", "--json", "r.json", "--csv", "r.csv", "--junit", "r.xml", "--format", "github"]
    assert run("check --against units.json --build own_file.py:pruned", *files) == 1
    output = capsys.readouterr().out
    assert "died: 1 of 14 units, 0 allowed - EXCEEDED" in output
    assert "::error title=conv2%3A units died::1 of 8 units died: 3." in output
    assert [(folder / file).stat().st_size > 300 for file in ("r.html", "r.json", "r.csv", "r.xml")] == [True] * 4
    for limit in ("--max-moved 0", "--max-split 0", "--max-changed 0"):  # no unit moved, was split or changed: only one died
        assert run(f"check --against units.json --build own_file.py:pruned --max-died 1 {limit}") == 0
    assert run("check --against units.json --build own_file.py:pruned --layers conv1") == 0
    for limit, code in (("", 0), ("--max-moved 2 --max-split 0", 0), ("--max-moved 1", 1)):
        assert run(f"check --against units.json --build own_file.py:swapped {limit}") == code, limit


def test_a_checkpoint_is_loaded_into_what_the_function_returns(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sys.path.insert(0, str(folder))
    import own_models

    sys.path.pop(0)
    torch.save(own_models.pruned().model.state_dict(), "pruned.pth")
    assert run("freeze --build own_models:build --out units.json --projections 0") == 0
    assert run("check --against units.json --build own_models:build --weights pruned.pth") == 1
    assert "Model: own (checkpoint pruned.pth)" in capsys.readouterr().out
    state = own_models.pruned().model.state_dict()
    torch.save({"epoch": 3, "state_dict": {f"net._orig_mod.{name}": tensor for name, tensor in state.items()}}, "pruned.ckpt")
    assert run("check --against units.json --build own_models:build --weights pruned.ckpt") == 1
    assert "died: 1 of 14 units" in capsys.readouterr().out
    torch.save({name: tensor * float("nan") for name, tensor in state.items()}, "diverged.pth")
    assert run("check --against units.json --build own_models:build --weights diverged.pth") == 1
    assert "contains nan or infinite values" in capsys.readouterr().err
    torch.save({"a": torch.zeros(1)}, "other.pth")
    assert run("check --against units.json --build own_models:build --weights other.pth") == 1
    assert "other.pth does not fit the model" in capsys.readouterr().err


@pytest.mark.parametrize("build", ["small", "small_module"])
def test_an_exported_program_has_the_size_of_its_example_inputs(folder: Path, capsys: pytest.CaptureFixture[str], build: str) -> None:
    assert run(f"freeze --build own_models:{build} --out units.json --projections 0") == 0
    assert "14 units of conv1, conv2" in capsys.readouterr().out
    assert run("check --against units.json --build own_models:small") == 0
    capsys.readouterr()
    assert run("check --against units.json --build own_models:plain") == 1
    assert "ModelBundle.from_module(..., input_size=(3, 24, 24)), which a function of --build can return" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("build", "message"),
    [
        ("own_models", "does not name a function that builds a model"),
        ("own_models:missing", "own_models has no function 'missing'"),
        ("no_such_module:build", "no_such_module cannot be imported (ModuleNotFoundError"),
        ("no_file.py:build", "There is no file no_file.py"),
        ("own_models:nothing", "own_models:nothing returned 5"),
        ("own_models:failing", "own_models:failing failed (KeyError: 'lost')"),
        ("own_models:exported", "was exported in training mode"),
    ],
)
def test_code_that_builds_no_model_is_refused_by_name(folder: Path, capsys: pytest.CaptureFixture[str], build: str, message: str) -> None:
    assert run("freeze --out units.json", "--build", build) == 1
    assert message in capsys.readouterr().err
    assert not (folder / "units.json").exists()


def test_usage(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options, message in (
        ("--max-died=-1", "limit must be a number of units"),
        ("--max-changed 200%", "percentage"),
        ("--min-overlap 2", "no number from 0 to 1"),
    ):
        with pytest.raises(SystemExit, match="2"):
            run(f"check --against units.json {options}")
        assert message in capsys.readouterr().err
    assert run("check --against missing.json") == 1
    assert "There is no file missing.json" in capsys.readouterr().err
    assert run("freeze --out units.json --model own_models:build") == 2
    assert "use --build own_models:build" in capsys.readouterr().err
    for command in ("freeze --out units.json", "check --against units.json"):
        (folder / "units.json").unlink(missing_ok=True)
        if command.startswith("check"):
            assert run("freeze --build own_models:build --out units.json --projections 0") == 0
        assert run(f"{command} --build own_models:build --model alexnet") == 2
        assert "--build builds the model, and --model alexnet names another one: give either" in capsys.readouterr().err
    assert main(["figure", "--layer", "conv1", "--out", "f.png", "--unit", "2", "--units", "3"]) == 2
    assert "--unit draws a single unit, and --units several: give either" in capsys.readouterr().err
    (folder / "units.json").write_text("{}")
    assert run("freeze --out units.json --build own_models:build") == 1
    assert "--overwrite" in capsys.readouterr().err
    assert run("check --against units.json --build own_models:build") == 1
    assert "is no file of frozen units" in capsys.readouterr().err
