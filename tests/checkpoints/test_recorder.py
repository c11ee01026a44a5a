"""CheckpointRecorder writes what the model is, changes nothing of it, and never mixes two recordings."""

import errno
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import deconvwidgets as dw
from deconvwidgets.checkpoints.checkpoint_file import epoch_of, read_checkpoint_file
from deconvwidgets.checkpoints.description import TrainingDescription, read_description
from deconvwidgets.checkpoints.log_file import LOG_FILE
from deconvwidgets.checkpoints.training_files import delete_training
from deconvwidgets.errors import CheckpointError, ModelError
from deconvwidgets.models.preprocess import Preprocess
from tests.checkpoints.nets import SIZE, make_net, train_a_step

MANY = np.array([0.5])


def _weights(folder, epoch):
    return read_checkpoint_file(Path(folder) / f"epoch-{epoch:04d}.safetensors").state


def test_the_weights_of_chosen_epochs_and_the_measurements_of_all_are_recorded(tmp_path):
    net = make_net()
    recorder = dw.CheckpointRecorder(tmp_path / "run", net, epochs=[1, 3], input_size=SIZE)
    expected = {0: {name: tensor.clone() for name, tensor in net.state_dict().items()}}
    for epoch in (1, 2, 3):
        train_a_step(net)
        recorder.end_epoch(train_loss=torch.tensor(1 / epoch, requires_grad=True), val_acc=np.float32(0.5), lr=0.1, gap=epoch)
        expected[epoch] = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    assert sorted(filter(None, map(epoch_of, recorder.folder.iterdir()))) == [1, 3]
    for epoch in (0, 1, 3):
        assert all(torch.equal(tensor, expected[epoch][name]) for name, tensor in _weights(recorder.folder, epoch).items())
    opened = dw.open_checkpoints(recorder.folder, build=net)
    assert opened.epochs == (0, 1, 3)
    logged = opened.log.epochs
    assert [(entry.epoch, entry.validation_top1, entry.learning_rate, entry.metrics) for entry in logged] == [
        (1, 0.5, 0.1, {"gap": 1.0}), (2, 0.5, 0.1, {"gap": 2.0}), (3, 0.5, 0.1, {"gap": 3.0}),
    ]  # fmt: skip
    assert logged[2].train_loss == pytest.approx(1 / 3)
    assert logged[0].seconds < logged[1].seconds < logged[2].seconds
    rms = net.fc.weight.detach().double().square().mean().sqrt().item()
    assert logged[2].weight_rms["fc"] == pytest.approx(rms, rel=1e-6)
    assert set(logged[2].weight_rms) == {"features.0", "fc"}


def test_the_model_and_the_random_state_are_not_changed(tmp_path):
    net = make_net().train()
    net.features[0].eval()
    train_a_step(net)
    state, modes = (
        {name: (tensor, tensor.clone()) for name, tensor in net.state_dict().items()},
        [module.training for module in net.modules()],
    )
    gradients = [parameter.grad for parameter in net.parameters()]
    before = (torch.random.get_rng_state(), np.random.get_state()[1].copy(), random.getstate())
    recorder = dw.CheckpointRecorder(tmp_path / "run", net)
    recorder.end_epoch(loss=1.0)
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])
    assert before[2] == random.getstate()
    assert [module.training for module in net.modules()] == modes
    assert [parameter.grad for parameter in net.parameters()] == gradients
    for name, tensor in net.state_dict().items():
        assert tensor.data_ptr() == state[name][0].data_ptr()
        assert torch.equal(tensor, state[name][1])


class _Outer(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner


@pytest.mark.parametrize(
    "wrap",
    [nn.DataParallel, lambda net: torch.compile(net, backend="eager"), torch.optim.swa_utils.AveragedModel,
     lambda net: nn.DataParallel(torch.compile(net, backend="eager")),
     lambda net: torch.optim.swa_utils.AveragedModel(nn.DataParallel(net))],
)  # fmt: skip
def test_wrapped_models_are_recorded_under_their_own_names(tmp_path, wrap):
    net = make_net()
    recorder = dw.CheckpointRecorder(tmp_path / "run", wrap(net), name="net")
    assert set(_weights(recorder.folder, 0)) == set(net.state_dict())


def test_a_part_in_torch_compile_is_recorded_under_its_own_name(tmp_path):
    net = make_net()
    outer = _Outer(torch.compile(net, backend="eager"))
    recorder = dw.CheckpointRecorder(tmp_path / "run", outer)
    assert set(_weights(recorder.folder, 0)) == {f"inner.{name}" for name in net.state_dict()}


def test_of_several_processes_the_one_of_rank_0_writes(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    recorder = dw.CheckpointRecorder(tmp_path / "run", make_net())
    recorder.end_epoch(train_loss=1.0)
    assert not (tmp_path / "run").exists()
    monkeypatch.setenv("RANK", "0")
    dw.CheckpointRecorder(tmp_path / "run", make_net())
    assert (tmp_path / "run").exists()


def test_a_recording_is_continued_replaced_or_left_alone(tmp_path):
    folder, net = tmp_path / "run", make_net()
    recorder = dw.CheckpointRecorder(folder, net, name="net")
    recorder.end_epoch(train_loss=2.0)
    seconds = recorder._line.seconds
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(CheckpointError, match=r"already holds a recording of net \(1 epochs\)\. Pass resume=True"):
        dw.CheckpointRecorder(folder, net)
    first = _weights(folder, 0)
    train_a_step(net)
    resumed = dw.CheckpointRecorder(folder, net, resume=True)
    resumed.end_epoch(train_loss=1.0)
    assert [entry.epoch for entry in dw.open_checkpoints(folder, net).log.epochs] == [1, 2]
    assert dw.open_checkpoints(folder, net).log.epochs[1].seconds > seconds
    assert all(torch.equal(first[name], tensor) for name, tensor in _weights(folder, 0).items())
    with pytest.raises(CheckpointError, match=r"another model: fc\.bias is \(2,\) there, and \(3,\) in SmallNet"):
        dw.CheckpointRecorder(folder, make_net(classes=3), resume=True)
    dw.CheckpointRecorder(folder, make_net(classes=3), overwrite=True)
    assert sorted(path.name for path in folder.iterdir()) == ["epoch-0000.safetensors", "notes.txt", "training.json"]
    assert dw.open_checkpoints(folder, make_net(classes=3)).epochs == (0,)


def test_resume_begins_a_recording_where_there_is_none(tmp_path):
    recorder = dw.CheckpointRecorder(tmp_path / "run", make_net(), resume=True)
    assert (recorder.epoch, dw.open_checkpoints(recorder.folder, make_net()).epochs) == (0, (0,))


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    for options in ({}, {"resume": True}):
        with pytest.raises(CheckpointError, match=r"is no folder of a recording: it holds thesis\.tex\. Choose an empty folder"):
            dw.CheckpointRecorder(tmp_path, make_net(), **options)
    with pytest.raises(CheckpointError, match="cannot be created"):
        dw.CheckpointRecorder(tmp_path / "thesis.tex", make_net())
    dw.CheckpointRecorder(tmp_path, make_net(), overwrite=True)
    assert (tmp_path / "thesis.tex").read_text() == "mine"


def test_files_of_the_same_names_that_are_of_no_training_are_kept(tmp_path):
    for name in ("log.jsonl", "state.safetensors", "stop"):
        (tmp_path / name).write_text("mine")
    with pytest.raises(CheckpointError, match=r"holds log\.jsonl, state\.safetensors, stop, but no training\.json"):
        dw.CheckpointRecorder(tmp_path, make_net(), overwrite=True)
    assert {path.read_text() for path in tmp_path.iterdir()} == {"mine"}


def test_the_description_holds_what_opening_needs(tmp_path):
    transform = Preprocess(resize=20, crop=(16, 16), mean=(0.5,) * 3, std=(0.25,) * 3, interpolation=Image.Resampling.BICUBIC)
    dw.CheckpointRecorder(tmp_path / "a", make_net(), transform=transform, categories=["no", "yes"], name="net", pretrained=True)
    assert read_description(tmp_path / "a") == TrainingDescription(
        name="net", pretrained=True, categories=("no", "yes"), input_size=(3, 16, 16), transform=transform
    )
    bundle = dw.open_checkpoints(tmp_path / "a", make_net()).bundle(0)
    assert (bundle.transform, bundle.categories, bundle.trained, bundle.name) == (transform, ("no", "yes"), True, "net, epoch 0")
    dw.CheckpointRecorder(tmp_path / "b", make_net(), transform=lambda image: torch.zeros(SIZE), input_size=SIZE)
    with pytest.raises(CheckpointError, match=r"prepared by <function.*pass transform="):
        dw.open_checkpoints(tmp_path / "b", make_net())


@pytest.mark.parametrize(
    ("metrics", "reason"),
    [
        ({"train_loss": "low"}, "train_loss must be one number"),
        ({"train_loss": torch.ones(3)}, r"train_loss must be one number, not an array of shape \(3,\).*take its mean"),
        ({"other": True}, "other must be one number"),
        ({"train_top1": 57.0}, "a share from 0 to 1, not 57: divide percentages by 100"),
        ({"epoch": 0}, "epoch must be an integer from 1"),
        ({"epoch": 1.0}, "epoch must be an integer from 1"),
    ],
)
def test_measurements_that_are_no_numbers_are_refused_before_anything_is_written(tmp_path, metrics, reason):
    recorder = dw.CheckpointRecorder(tmp_path / "run", make_net())
    with pytest.raises(CheckpointError, match=reason):
        recorder.end_epoch(**metrics)
    assert (recorder.epoch, sorted(path.name for path in recorder.folder.iterdir())) == (0, ["epoch-0000.safetensors", "training.json"])


def test_later_measurements_are_added_to_the_last_epoch(tmp_path):
    recorder = dw.CheckpointRecorder(tmp_path / "run", make_net(), epochs=[9])
    with pytest.raises(CheckpointError, match="No epoch has ended yet"):
        recorder.add_metrics(val_loss=1.0)
    recorder.end_epoch(train_loss=float("nan"), gap=1.0)
    recorder.add_metrics(val_loss=0.25, f1=0.5)
    (entry,) = dw.open_checkpoints(recorder.folder, make_net()).log.epochs
    assert np.isnan(entry.train_loss)
    assert (entry.validation_loss, entry.metrics) == (0.25, {"gap": 1.0, "f1": 0.5})


@pytest.mark.parametrize("options", [{"epochs": [1, 1]}, {"epochs": []}, {"epochs": "all"}, {"epochs": [1.5]}, {"epochs": 3},
                                     {"resume": 1}, {"resume": True, "overwrite": True}, {"name": 3}, {"categories": [1]},
                                     {"transform": 3}, {"input_size": (3, 8)}])  # fmt: skip
def test_invalid_options_are_refused(tmp_path, options):
    with pytest.raises((CheckpointError, ModelError)):
        dw.CheckpointRecorder(tmp_path / "run", make_net(), **options)


def test_a_model_that_cannot_be_stored_is_refused_at_once(tmp_path):
    net = make_net()
    net.register_buffer("phase", torch.ones(2, dtype=torch.complex64))
    with pytest.raises(CheckpointError, match="phase in the state dict is complex"):
        dw.CheckpointRecorder(tmp_path / "run", net)


def test_on_a_full_disk_the_model_and_the_earlier_files_are_kept(tmp_path, monkeypatch):
    net = make_net()
    recorder = dw.CheckpointRecorder(tmp_path / "run", net)
    recorder.end_epoch()
    state = {name: tensor.clone() for name, tensor in net.state_dict().items()}

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("deconvwidgets.atomic_file.os.fsync", full)
    with pytest.raises(CheckpointError, match=r"No space left on device\)\. Free some space on that disk"):
        recorder.end_epoch()
    monkeypatch.undo()
    assert all(torch.equal(tensor, state[name]) for name, tensor in net.state_dict().items())
    assert dw.open_checkpoints(recorder.folder, net).epochs == (0, 1)
    recorder.end_epoch()  # when there is space again
    assert dw.open_checkpoints(recorder.folder, net).epochs == (0, 1, 2)


_WRITE = """
import sys, torch, deconvwidgets as dw
from torch import nn
net = nn.Sequential(nn.Conv2d(3, 64, 9), nn.ReLU(), nn.Flatten(), nn.Linear(64 * 24 * 24, 50))
recorder = dw.CheckpointRecorder(sys.argv[1], net, resume=True, input_size=(3, 32, 32))
print("ready", flush=True)
while True:
    with torch.no_grad():
        net[0].bias += 1
    recorder.end_epoch(train_loss=0.5)
"""


@pytest.mark.slow
def test_what_a_killed_process_leaves_is_whole_and_continued(tmp_path):
    folder = tmp_path / "run"
    net = nn.Sequential(nn.Conv2d(3, 64, 9), nn.ReLU(), nn.Flatten(), nn.Linear(64 * 24 * 24, 50))
    known = 0
    for pause in (0.05, 0.11, 0.17):
        process = subprocess.Popen([sys.executable, "-c", _WRITE, str(folder)], stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"ready\n"
        while len(list(folder.glob("epoch-*"))) <= known + 2:
            time.sleep(0.01)
        time.sleep(pause)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        opened = dw.open_checkpoints(folder, net)
        assert not opened.unreadable
        known = len(opened) - 1
        assert opened.epochs == tuple(range(known + 1))
        logged = [entry.epoch for entry in opened.log.epochs]
        assert logged in (list(range(1, known + 1)), list(range(1, known)))
        for checkpoint in opened:
            read_checkpoint_file(checkpoint.path)


_DISTRIBUTED = """
import sys, torch, torch.distributed as dist, deconvwidgets as dw
from torch import nn
dist.init_process_group("gloo")
net = nn.parallel.DistributedDataParallel(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2)))
recorder = dw.CheckpointRecorder(sys.argv[1], net, input_size=(3, 8, 8))
for epoch in range(2):
    recorder.end_epoch(train_loss=float(dist.get_rank()))
dist.barrier()
dist.destroy_process_group()
"""


@pytest.mark.slow
def test_two_distributed_processes_write_one_recording(tmp_path):
    script, folder = tmp_path / "train.py", tmp_path / "run"
    script.write_text(_DISTRIBUTED)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script), str(folder)]
    done = subprocess.run(launcher, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    opened = dw.open_checkpoints(folder, nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2)))
    assert (opened.epochs, [entry.train_loss for entry in opened.log.epochs]) == ((0, 1, 2), [0.0, 0.0])
    opened.bundle(2)


def test_a_recording_that_replaces_a_training_leaves_nothing_to_resume(tmp_path):
    """dw.train would resume from its state, with the log of another model."""
    (tmp_path / "training.json").write_text("{}")
    for name in ("state.safetensors", "log.jsonl", "progress.json", "epoch-0003.safetensors", ".training.lock", "notes.txt"):
        (tmp_path / name).write_text("old")
    dw.CheckpointRecorder(tmp_path, make_net(), overwrite=True)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [".training.lock", "epoch-0000.safetensors", "notes.txt", "training.json"]


def test_a_deletion_that_is_killed_leaves_what_is_known_as_a_training(tmp_path, monkeypatch):
    deleted = []
    for name in ("epoch-0003.safetensors", LOG_FILE, "training.json", "state.safetensors"):
        (tmp_path / name).write_text("old")
    monkeypatch.setattr(Path, "unlink", lambda path, missing_ok=False: deleted.append(path.name))
    delete_training(tmp_path)
    assert (deleted[0], deleted[-1]) == ("state.safetensors", "training.json")
    assert len(deleted) == 4


def test_a_recording_is_not_continued_with_another_preparation_of_its_images(tmp_path):
    net = make_net()
    given = {"transform": Preprocess(18, SIZE[1:]), "input_size": SIZE, "categories": ["no", "yes"]}
    dw.CheckpointRecorder(tmp_path / "run", net, **given)
    for same in ({}, given, {"input_size": SIZE}):
        dw.CheckpointRecorder(tmp_path / "run", net, resume=True, **same)
    other = Preprocess(18, SIZE[1:], mean=(0, 0, 0), std=(1, 1, 1))
    with pytest.raises(CheckpointError, match=r"categories=\('cat', 'dog'\), and the recording in .* has \('no', 'yes'\).*Leave it out"):
        dw.CheckpointRecorder(tmp_path / "run", net, resume=True, categories=["cat", "dog"])
    for change in ({**given, "transform": other}, {"transform": lambda image: image, "input_size": SIZE}, {**given, "pretrained": True}):
        with pytest.raises(CheckpointError, match="its epochs would be opened in the wrong way"):
            dw.CheckpointRecorder(tmp_path / "run", net, resume=True, **change)


def test_a_model_whose_sizes_are_not_known_yet_is_refused_and_leaves_the_folder(tmp_path):
    net = nn.Sequential(nn.LazyConv2d(4, 5))
    with pytest.raises(CheckpointError, match=r"0\.weight in the state dict is not initialised: run the model once"):
        dw.CheckpointRecorder(tmp_path / "run", net)
    net(torch.zeros(1, 3, 8, 8))
    assert dw.CheckpointRecorder(tmp_path / "run", net).epoch == 0
