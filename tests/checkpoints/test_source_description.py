"""Files of a recorder that are given one by one are opened as their folder is: training.json beside them describes them."""

from __future__ import annotations

import shutil

import pytest
import torch

import deconvwidgets as dw
from deconvwidgets.errors import CheckpointError
from deconvwidgets.models.preprocess import Preprocess
from tests.checkpoints.nets import SIZE, make_net, train_a_step


def _record(folder, **options):
    net = make_net()
    recorder = dw.CheckpointRecorder(folder, net, **{"input_size": SIZE, **options})
    for _ in range(2):
        train_a_step(net)
        recorder.end_epoch(train_loss=1.0)
    return sorted(folder.glob("*.safetensors"))


def test_files_of_a_recording_are_opened_as_the_folder_is(tmp_path):
    transform = Preprocess(resize=20, crop=SIZE[1:], mean=(0.5,) * 3, std=(0.25,) * 3)
    files = _record(tmp_path / "run", transform=transform, categories=["no", "yes"], name="net", pretrained=True)
    of_folder = dw.open_checkpoints(tmp_path / "run", make_net())
    for source in (files, list(map(str, files[1:])), files[2]):
        opened = dw.open_checkpoints(source, make_net())
        assert (opened.name, opened.input_size, opened.categories) == ("net", SIZE, ("no", "yes"))
        first = opened.epochs[0]
        for field in ("transform", "weights", "trained", "notes"):
            assert getattr(opened.bundle(first), field) == getattr(of_folder.bundle(first), field)
        assert len(opened.log.epochs) == 2
    assert dw.open_checkpoints(files, make_net(), pretrained=False).bundle(0).trained is False


def test_a_transform_that_no_file_holds_is_asked_for(tmp_path):
    files = _record(tmp_path / "run", transform=lambda image: torch.zeros(SIZE))
    with pytest.raises(CheckpointError, match=r"prepared by <function.*pass transform="):
        dw.open_checkpoints(files, make_net())


def test_files_of_trainings_that_differ_are_refused_unless_the_difference_is_given(tmp_path):
    first = _record(tmp_path / "a", categories=["no", "yes"])
    second = _record(tmp_path / "b", categories=["cat", "dog"])
    chosen, options = [first[0], second[1]], {"build": make_net()}
    with pytest.raises(CheckpointError, match=r"several trainings: categories is .*no.*a/training\.json, and .*cat.*pass categories="):
        dw.open_checkpoints(chosen, **options)
    opened = dw.open_checkpoints(chosen, **options, categories=["x", "y"])
    assert (opened.input_size, opened.categories, opened.epochs, opened.log) == (SIZE, ("x", "y"), (0, 1), None)
    bundle = dw.ModelBundle.from_module(make_net().eval(), input_size=SIZE, task=None)
    assert dw.open_checkpoints(chosen, bundle).epochs == (0, 1)


def test_other_files_beside_a_recording_are_not_described_by_it(tmp_path):
    files = _record(tmp_path / "run", pretrained=True)
    torch.save({"epoch": 5, "state_dict": make_net().state_dict()}, tmp_path / "run" / "own.pth")
    shutil.copy(files[0], tmp_path)
    for source in (tmp_path / "run" / "own.pth", tmp_path / files[0].name):
        opened = dw.open_checkpoints([source], make_net())
        assert (opened.pretrained, opened.log) == (False, None)
