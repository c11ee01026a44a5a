"""The lines of Python that a TrainingPanel shows run as they are, and its layers have the names of the explorers."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from torch import nn

import deconvwidgets as dw
from deconvwidgets.checkpoints.checkpoint_file import write_checkpoint
from deconvwidgets.checkpoints.description import TrainingDescription, write_description
from deconvwidgets.checkpoints.log_file import append_epoch
from deconvwidgets.instruments.training.service.code import checkpoint_code
from deconvwidgets.models.untrained import build_untrained
from deconvwidgets.records.training_log import EpochLog
from tests.conftest import NoisePhotographs
from tests.instruments.training.compute.conftest import CLASSES, coloured, coloured_folder, small

__all__ = ["coloured", "coloured_folder"]  # pytest finds fixtures by name

pytestmark = pytest.mark.usefixtures("own_cache")


def write_named(folder: Path) -> None:
    """Write a checkpoint and a log of a network that is built by its name, as `dw.train` does."""
    net = build_untrained("squeezenet1_1", 3, (3, 64, 64), 0)
    write_checkpoint(folder, 2, net.state_dict())
    described = TrainingDescription(name="squeezenet", architecture="squeezenet1_1", categories=CLASSES, input_size=(3, 64, 64))
    write_description(folder, described)
    weights = {"features.0": 0.1, "classifier.1": 0.2, "elsewhere": 0.3}
    append_epoch(folder, EpochLog(epoch=2, train_loss=1.0, weight_rms=weights, update_rms={"features.0": 1e-4}))


def run(code: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run lines as a new notebook does, and return what the last one shows. Photographs are noise."""
    opened = []
    monkeypatch.setattr(dw, "open_images", lambda what: opened.append(what) or NoisePhotographs() if isinstance(what, str) else what)
    *lines, last = code.split("\n")
    names: dict[str, Any] = {}
    exec("\n".join(lines), names)
    shown = eval(last, names)
    assert opened == ["photos"]
    return shown


def test_the_code_runs_as_it_is(coloured: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("run")  # the code is pasted into a notebook that may stand elsewhere
    folder.mkdir()
    service = dw.LocalTrainingService(small, coloured, out=folder, input_size=24, epochs=2, device="cpu")
    write_checkpoint(folder, 2, small(3).state_dict())
    write_description(folder, TrainingDescription(name="small", categories=CLASSES, input_size=(3, 24, 24)))
    service.look()
    (evolution, evolution_code), (layers, layers_code) = service.status().code
    assert (evolution, layers) == ("How the features evolve", "The layers at epoch 2")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for code, kind in ((evolution_code, dw.EvolutionExplorer), (layers_code, dw.LayerExplorer)):
        widget = run(code, monkeypatch)
        assert isinstance(widget, kind)
        widget._service.close()
        widget.close()
    service.close()


def test_what_code_cannot_build_is_left_to_be_filled_in(tmp_path: Path) -> None:
    def local(classes: int) -> nn.Module:
        return small(classes)

    for unknown, said in (
        (None, "trained, with"),
        (lambda classes: small(classes), "trained, with"),
        (local, "trained, with"),
        (small(3), "a Sequential, with"),
    ):
        (purpose, code), _ = checkpoint_code(tmp_path, 1, unknown, 3)
        assert purpose.endswith("after you fill in the network")
        assert said in code
        assert "network = ...  #" in code
        assert "build=network)" in code
    renamed = copy.copy(small)
    assert "import small\n" in checkpoint_code(tmp_path, 1, renamed, 3)[0][1]
    write_checkpoint(tmp_path, 1, small(3).state_dict())
    with pytest.raises(dw.errors.DeconvWidgetsError, match=r"build must be"):
        exec(code, {})


def test_layers_have_the_names_that_explorers_show(tmp_path: Path) -> None:
    write_named(tmp_path)
    service = dw.LocalTrainingService(folder=tmp_path)
    assert service.status().layer_names == ()
    names: dict[str, Any] = {}
    exec(service.status().code[0][1].rpartition("\n")[0], names)
    assert names["checkpoints"].epochs == (2,)
    service.file("training.csv")  # it finds them; as does the thread that looks at the folder for a panel
    status = service.status()
    aliases = {one.name: one.alias for one in names["checkpoints"].bundle(2).network.layers}
    assert dict(status.layer_names)["features.0"] == "conv1"
    assert aliases["features.1"] == "conv1"  # the map after the rectifier
    assert [status.layer_name(name) for name in ("features.0", "classifier.1", "elsewhere")] == ["conv1", "conv26", "elsewhere"]
    assert "conv1" in service.file("training.svg").decode()
    assert "weight RMS features.0" in service.file("training.csv").decode()  # the table has the names of the state dict


def test_a_panel_finds_the_names_while_a_page_shows_it(coloured: Any, tmp_path: Path) -> None:
    service = dw.LocalTrainingService(small, coloured, out=tmp_path, input_size=24, epochs=1, batch_size=14, device="cpu", interval=0.02)
    service.start()
    service.wait(30)
    assert dict(service.status().layer_names) == {"0": "conv1", "5": "fc2"}
    service.close()
