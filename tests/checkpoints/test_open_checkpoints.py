"""open_checkpoints reads state dicts of any library, finds names and epochs in the files, and refuses what it does not know."""

import os
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from torch import nn

import deconvwidgets as dw
from deconvwidgets.checkpoints.checkpoint_file import write_checkpoint
from deconvwidgets.checkpoints.description import TrainingDescription, write_description
from deconvwidgets.checkpoints.order_of_names import check_order
from deconvwidgets.engine import structure
from deconvwidgets.errors import CheckpointError, DeconvWidgetsError
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.models.untrained_weights import UNTRAINED_NOTE
from tests.checkpoints.nets import SIZE, SmallNet, make_net, train_a_step


def _states(count=3):
    """Return networks after 1, 2, ... steps of training, as state dicts."""
    net, states = make_net(), []
    for _ in range(count):
        train_a_step(net)
        states.append({name: tensor.clone() for name, tensor in net.state_dict().items()})
    return states


def _old(path):
    """Let a file look as if it was written an hour ago: it is no longer being written."""
    os.utime(path, (time.time() - 3600,) * 2)
    return path


def _save(content, path):
    torch.save(content, path)
    return _old(path)


def _equal(bundle, state):
    found = bundle.model.state_dict()
    return all(torch.equal(found[name], tensor.to(found[name].dtype)) for name, tensor in state.items())


FORMATS = {
    "state dict": lambda state: state,
    "state_dict": lambda state: {"state_dict": state, "optimizer": {"lr": 0.1}},
    "model_state_dict": lambda state: {"model_state_dict": state, "loss": 0.5},
    "model": lambda state: {"model": state},
    "DataParallel": lambda state: {f"module.{name}": tensor for name, tensor in state.items()},
    "compiled": lambda state: {f"_orig_mod.{name}": tensor for name, tensor in state.items()},
    "DDP, compiled": lambda state: {f"module._orig_mod.{name}": tensor for name, tensor in state.items()},
    "compiled part": lambda state: {name.replace("features.", "features._orig_mod."): tensor for name, tensor in state.items()},
    "averaged": lambda state: {"n_averaged": torch.tensor(3), **{f"module.{name}": tensor for name, tensor in state.items()}},
    "part of another module": lambda state: {"loss.weight": torch.ones(2), **{f"net.{name}": tensor for name, tensor in state.items()}},
    "twice the same": lambda state: {f"{part}.{name}": tensor for part in "ab" for name, tensor in state.items()},
    "half": lambda state: {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in state.items()},
    "without num_batches_tracked": lambda state: {name: tensor for name, tensor in state.items() if "tracked" not in name},
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_state_dicts_of_all_kinds_are_read(tmp_path, name):
    states = _states(2)
    for epoch, state in enumerate(states, start=9):
        _save(FORMATS[name](state), tmp_path / f"net_epoch{epoch}.pth")
    net = make_net(5)
    before = {key: tensor.clone() for key, tensor in net.state_dict().items()}
    opened = dw.open_checkpoints(tmp_path, build=net, input_size=SIZE, categories=["no", "yes"], name="net")
    assert (opened.epochs, opened.name, opened.input_size, opened.categories) == ((9, 10), "net", SIZE, ("no", "yes"))
    for epoch, state in zip(opened.epochs, states, strict=True):
        bundle = opened.bundle(epoch)
        expected = {key: tensor.half() if name == "half" and tensor.is_floating_point() else tensor for key, tensor in state.items()}
        assert _equal(
            bundle, {key: tensor for key, tensor in expected.items() if name != "without num_batches_tracked" or "tracked" not in key}
        )
        assert (bundle.name, bundle.trained) == (f"net, epoch {epoch}", True)
        assert {parameter.dtype for parameter in bundle.model.parameters()} == {torch.float32}
        assert not any(parameter.requires_grad for parameter in bundle.model.parameters())
    assert net.training
    assert all(torch.equal(tensor, before[key]) for key, tensor in net.state_dict().items())


def test_safetensors_and_functions_and_names_of_architectures(tmp_path):
    state = _states(1)[0]
    safetensors.torch.save_file(state, tmp_path / "epoch_4.safetensors")
    assert _equal(dw.open_checkpoints(tmp_path, build=make_net, input_size=SIZE).bundle(4), state)
    resnet = dw.load_model("squeezenet1_1", weights=None).model
    classes = type(resnet)  # a model of torchvision with another number of classes
    seven = classes(version="1_1", num_classes=7)
    _save({"epoch": 2, "model": seven.state_dict()}, tmp_path / "seven.pth")
    bundle = dw.open_checkpoints([tmp_path / "seven.pth"], build="squeezenet1_1").bundle(2)
    assert (bundle.name, bundle.transform) == ("squeezenet1_1, epoch 2", dw.load_model("squeezenet1_1", weights=None).transform)
    assert _equal(bundle, seven.state_dict())


def test_epochs_do_not_share_parameters_and_are_traced_once(tmp_path, monkeypatch):
    states = _states(3)
    for epoch, state in enumerate(states, start=1):
        write_checkpoint(tmp_path, epoch, state)
    traced = []
    trace = structure.trace_model
    monkeypatch.setattr(structure, "trace_model", lambda model, size, **options: traced.append(model) or trace(model, size, **options))
    opened = dw.open_checkpoints(tmp_path, build=make_net(), input_size=SIZE)
    bundles = [opened.bundle(epoch) for epoch in opened.epochs]
    batch = torch.rand(2, *SIZE)
    maps = [bundle.network.map(batch, "features.2") for bundle in bundles]
    assert len(traced) == 1
    for state, found in zip(states, maps, strict=True):
        reference = make_net()
        reference.load_state_dict(state)
        assert torch.allclose(found, reference.eval().features(batch), atol=1e-6)
    pointers = [tensor.data_ptr() for bundle in bundles for tensor in bundle.model.state_dict().values() if tensor.dim()]
    assert len(set(pointers)) == len(pointers)
    assert opened.bundle(2) is bundles[1]  # it is in use
    assert len({bundle.network.digest("features.2") for bundle in bundles}) == 3


def test_epochs_come_from_entries_then_names_then_from_the_user(tmp_path):
    a, b, c = _states(3)
    first, second, third = (tmp_path / name for name in ("x.pth", "epoch_7.pth", "net-12.pth"))
    _save({"epoch": 30, "state_dict": a}, first)
    _save({"epoch": 4, "state_dict": b}, second)  # the entry says more than the name
    options = {"build": make_net(), "input_size": SIZE}
    opened = dw.open_checkpoints(tmp_path, **options)
    assert [(entry.epoch, entry.label, entry.known_by) for entry in opened] == [
        (4, "epoch 4", "entry 'epoch'"), (30, "epoch 30", "entry 'epoch'"),
    ]  # fmt: skip
    assert "epoch 4 (entry 'epoch') of epoch_7.pth" in opened.bundle(4).weights
    _save(c, third)
    with pytest.raises(CheckpointError, match=r"Neither the content nor the name of net-12\.pth tells its epoch\. Pass epochs="):
        dw.open_checkpoints(tmp_path, **options)
    opened = dw.open_checkpoints([first, second, third], epochs=[2, 0, 1], **options)
    assert [(entry.epoch, entry.path.name, entry.trained) for entry in opened] == [
        (0, "epoch_7.pth", False), (1, "net-12.pth", True), (2, "x.pth", True),
    ]  # fmt: skip
    assert _equal(opened.bundle(0), b)
    for epochs in ([1], [1, 1, 2], [1, 2, -3], 3, [1.5, 2, 3], "123"):
        with pytest.raises(CheckpointError, match="epoch"):
            dw.open_checkpoints([first, second, third], epochs=epochs, **options)


def test_steps_are_used_and_said_where_epochs_are_unknown(tmp_path):
    for step, state in zip((1000, 500), _states(2), strict=True):
        _save({"global_step": step, "state_dict": state}, tmp_path / f"{step}.pt")
    opened = dw.open_checkpoints(tmp_path, make_net(), input_size=SIZE, name="net")
    assert ([entry.label for entry in opened], repr(opened)[:38]) == (["step 500", "step 1000"], "Checkpoints(net, steps 500, 1000 in '/")
    assert opened.bundle(500).name == "net, step 500"
    _save({"epoch": 3, "state_dict": _states(3)[2]}, tmp_path / "last.pt")
    with pytest.raises(CheckpointError, match="Some of the files tell their epoch, and others their step"):
        dw.open_checkpoints(tmp_path, make_net(), input_size=SIZE)


@pytest.mark.parametrize(
    ("name", "epoch"),
    [("epoch-0005.pt", 5), ("net_ep12.pth", 12), ("model_epoch=3.pth", 3), ("resnet18-epoch_7-loss_0.31.pth", 7), ("Epoch 2.tar", 2)],
)
def test_epochs_in_names(tmp_path, name, epoch):
    _save(_states(1)[0], tmp_path / name)
    assert dw.open_checkpoints(tmp_path, make_net(), input_size=SIZE).epochs == (epoch,)


@pytest.mark.parametrize("name", ["net5.pth", "deep3.pth", "epoch.pth", "checkpoint-500.pth", "epoch0.5.pth", "epoch1_epoch2.pth"])
def test_other_names_are_not_taken_for_epochs(tmp_path, name):
    _save(_states(1)[0], tmp_path / name)
    with pytest.raises(CheckpointError, match="tells its epoch"):
        dw.open_checkpoints(tmp_path, make_net(), input_size=SIZE)


def test_copies_are_one_and_other_weights_of_the_same_epoch_are_refused(tmp_path):
    a, b = _states(2)
    for name in ("best.pth", "last.pth"):
        _save({"epoch": 3, "state_dict": a}, tmp_path / name)
    assert dw.open_checkpoints(tmp_path, make_net(), input_size=SIZE).epochs == (3,)
    _save({"epoch": 3, "state_dict": b}, tmp_path / "last.pth")
    with pytest.raises(CheckpointError, match=r"best\.pth and last\.pth are all of epoch 3, with different weights"):
        dw.open_checkpoints(tmp_path, make_net(), input_size=SIZE)


def test_epoch_0_is_random_only_where_that_is_certain(tmp_path):
    ours = tmp_path / "ours"
    dw.CheckpointRecorder(ours, make_net(), input_size=SIZE)
    before = dw.open_checkpoints(ours, make_net()).bundle(0)
    assert (before.trained, before.weights) == (False, "random weights, before training (epoch 0)")
    assert UNTRAINED_NOTE in before.notes
    tuned = dw.open_checkpoints(ours, make_net(), pretrained=True).bundle(0)
    assert (tuned.trained, tuned.weights) == (True, "epoch 0")
    _save({"epoch": 0, "state_dict": _states(1)[0]}, tmp_path / "first.pth")
    theirs = dw.open_checkpoints([tmp_path / "first.pth"], make_net(), input_size=SIZE).bundle(0)
    assert theirs.trained
    assert any("Whether epoch 0 is before training is unknown" in note for note in theirs.notes)


def test_two_different_models_in_one_file_need_a_prefix(tmp_path):
    a, b = _states(2)
    both = {**{f"student.{name}": tensor for name, tensor in a.items()}, **{f"teacher.{name}": tensor for name, tensor in b.items()}}
    _save({"epoch": 1, "state_dict": both}, tmp_path / "both.pth")
    opened = dw.open_checkpoints(tmp_path, make_net(), input_size=SIZE)
    with pytest.raises(CheckpointError, match=r"several times, with other values: under 'student\.' and 'teacher\.'.*prefix='student\.'"):
        opened.bundle(1)
    assert _equal(dw.open_checkpoints(tmp_path, make_net(), input_size=SIZE, prefix="teacher.").bundle(1), b)


def test_what_does_not_fit_is_refused_by_file_and_name(tmp_path):
    path = _save({"epoch": 1, "state_dict": make_net(classes=3).state_dict()}, tmp_path / "three.pth")
    options = {"input_size": SIZE}
    with pytest.raises(CheckpointError, match=r"three\.pth does not fit SmallNet: 2 of another shape \(fc\.weight is \(3, 784\)"):
        dw.open_checkpoints([path], make_net(), **options).bundle(1)
    with pytest.raises(CheckpointError, match=r"three\.pth does not fit Sequential: 5 unexpected"):
        dw.open_checkpoints([path], nn.Sequential(nn.Conv2d(3, 4, 3)), **options).bundle(1)
    deeper = {**make_net().state_dict(), "fc2.weight": torch.ones(2, 2)}
    path = _save({"epoch": 1, "state_dict": deeper}, tmp_path / "deeper.pth")
    with pytest.raises(CheckpointError, match=r"deeper\.pth does not fit SmallNet: 1 unexpected \(fc2\.weight\)"):
        dw.open_checkpoints([path], make_net(), **options).bundle(1)


def test_weights_that_are_not_finite_are_named(tmp_path):
    state = _states(1)[0]
    state["fc.bias"][0] = float("nan")
    path = _save({"epoch": 1, "state_dict": state}, tmp_path / "diverged.pth")
    with pytest.raises(CheckpointError, match=r"fc\.bias in .*diverged\.pth contains nan"):
        dw.open_checkpoints([path], make_net(), input_size=SIZE).bundle(1)
    _save({"epoch": 1, "state_dict": {**_states(1)[0], "features.1.running_var": torch.full((4,), float("inf"))}}, path)
    with pytest.raises(CheckpointError, match=r"running_var in .*diverged\.pth contains nan or infinite"):
        dw.open_checkpoints([path], make_net(), input_size=SIZE).bundle(1)
    write_checkpoint(tmp_path, 2, state)
    write_checkpoint(tmp_path, 1, _states(1)[0])
    write_description(tmp_path, TrainingDescription(input_size=SIZE))
    opened = dw.open_checkpoints(tmp_path, make_net())  # the other epochs can be seen
    opened.bundle(1)
    with pytest.raises(CheckpointError, match=r"fc\.bias in .*epoch-0002\.safetensors contains nan"):
        opened.bundle(2)


def test_buffers_that_are_infinite_by_design_are_not_judged(tmp_path):
    """As a causal mask, or the range of an observer of quantisation: the recorder writes them."""
    net = make_net()
    net.register_buffer("mask", torch.full((3, 3), float("-inf")).triu(1))
    dw.CheckpointRecorder(tmp_path / "run", net, input_size=SIZE)
    torch.save({"epoch": 1, "state_dict": net.state_dict()}, tmp_path / "one.pth")
    for opened in (dw.open_checkpoints(tmp_path / "run", net), dw.open_checkpoints([tmp_path / "one.pth"], net, input_size=SIZE)):
        assert torch.equal(opened.bundle(opened.epochs[0]).model.mask, net.mask)


def test_code_in_a_file_is_not_run(tmp_path):
    path = _save({"epoch": 1, "model": make_net()}, tmp_path / "whole.pth")
    with pytest.raises(CheckpointError, match=r"would run code\. If you trust it, load it yourself with torch\.load"):
        dw.open_checkpoints([path], make_net())


def test_of_a_model_and_its_average_in_one_file_either_can_be_opened(tmp_path):
    raw, average = _states(2)
    _save({"epoch": 1, "state_dict": {**raw, **{f"ema.{name}": tensor for name, tensor in average.items()}}}, tmp_path / "one.pth")
    with pytest.raises(CheckpointError, match=r"several times, with other values: under '' and 'ema\.'"):
        dw.open_checkpoints(tmp_path, make_net(), input_size=SIZE).bundle(1)
    for prefix, state in (("", raw), ("ema.", average)):
        assert _equal(dw.open_checkpoints(tmp_path, make_net(), input_size=SIZE, prefix=prefix).bundle(1), state)


@pytest.mark.parametrize("stamp", [_old, lambda path: path])  # whether it was written just now does not matter
def test_a_file_that_cannot_be_used_is_named_and_the_others_are_opened(tmp_path, stamp):
    _save({"epoch": 1, "state_dict": _states(1)[0]}, tmp_path / "one.pth")
    bad = tmp_path / "optimizer.pth"
    torch.save(torch.optim.SGD(make_net().parameters(), lr=0.1).state_dict(), bad)
    stamp(bad)
    for source in (tmp_path, [tmp_path / "one.pth", bad]):
        with pytest.warns(UserWarning, match=r"left out, and the other checkpoints are opened: .*optimizer\.pth contains no state dict"):
            opened = dw.open_checkpoints(source, make_net(), input_size=SIZE)
        assert (opened.epochs, list(opened.unreadable), opened.bundle(1).trained) == ((1,), [bad], True)
    with pytest.warns(UserWarning, match="left out"):  # epochs are given for every file
        assert dw.open_checkpoints(tmp_path, make_net(), input_size=SIZE, epochs=[7, 8]).epochs == (7,)
    with pytest.raises(CheckpointError, match=r"There are 1 epochs for 2 files: one\.pth, optimizer\.pth"):
        dw.open_checkpoints(tmp_path, make_net(), input_size=SIZE, epochs=[7])
    (tmp_path / "one.pth").write_bytes(b"cut")
    stamp(tmp_path / "one.pth")
    with pytest.raises(
        CheckpointError, match=r"one\.pth contains more.* 1 more cannot be read: .*optimizer\.pth contains no state dict.*wait"
    ):
        dw.open_checkpoints(tmp_path, make_net())


def test_epochs_for_a_folder_are_not_swapped_by_the_order_of_its_names(tmp_path):
    """The names are in the order of their characters: m1, m10, m2."""
    for number, state in zip((1, 2, 10), _states(3), strict=True):
        _save(state, tmp_path / f"m{number}.pth")
    options = {"build": make_net(), "input_size": SIZE}
    for epochs in ([1, 2, 10], [3, 2, 1]):
        with pytest.raises(CheckpointError, match=r"against the numbers in their names.*order of their names, m1\.pth, m10\.pth, m2\.pth"):
            dw.open_checkpoints(tmp_path, epochs=epochs, **options)
    opened = dw.open_checkpoints(tmp_path, epochs=[0, 20, 5], **options)
    assert [(entry.epoch, entry.path.name) for entry in opened] == [(0, "m1.pth"), (5, "m2.pth"), (20, "m10.pth")]
    files = [tmp_path / f"m{number}.pth" for number in (10, 1, 2)]
    assert dw.open_checkpoints(files, epochs=[1, 2, 3], **options).epochs == (1, 2, 3)  # the order of a list is the user's own


@pytest.mark.parametrize(
    ("names", "epochs", "agrees"),
    [
        (("loss0.5-2", "loss0.9-1"), (2, 1), True),  # the loss falls
        (("e1-s100", "e10-s1000", "e2-s200"), (1, 2, 10), False),
        (("best", "m1", "m2"), (9, 1, 2), True),
        (("a", "b"), (2, 1), True),
        (("m1", "n0"), (1, 2), True),
        (("m01", "m02", "m10"), (1, 2, 10), True),
    ],
)
def test_numbers_in_names_and_given_epochs(names, epochs, agrees):
    given = {Path(f"{name}.pth"): epoch for name, epoch in zip(names, epochs, strict=True)}
    with nullcontext() if agrees else pytest.raises(CheckpointError, match="would make"):
        check_order(given, {})
    with pytest.raises(CheckpointError, match="or content"):
        check_order(given, {path: -epoch for path, epoch in given.items()})


def test_checkpoints_of_two_trainings_are_not_mixed(tmp_path):
    """Another training in the folder replaces old files: its new ones are no later epochs of the training that was opened."""
    first, second, third = _states(3)
    write_description(tmp_path, TrainingDescription(input_size=SIZE))
    write_checkpoint(tmp_path, 0, first)
    opened = dw.open_checkpoints(tmp_path, make_net())
    (tmp_path / "epoch-0000.safetensors").touch()
    write_checkpoint(tmp_path, 1, second)
    assert [entry.epoch for entry in opened.refresh()] == [1]
    write_checkpoint(tmp_path, 0, third)
    write_checkpoint(tmp_path, 2, third)
    with pytest.raises(CheckpointError, match=r"epoch-0000\.safetensors was replaced .* another training .* open them again"):
        opened.refresh()
    assert opened.epochs == (0, 1)


def test_another_librarys_file_that_was_replaced_is_unreadable(tmp_path):
    """As last.ckpt is. Those that are new are of the same training all the same."""
    first, second = _states(2)
    _save({"epoch": 1, "state_dict": first}, tmp_path / "last.pth")
    opened = dw.open_checkpoints(tmp_path, make_net(), input_size=SIZE)
    torch.save({"epoch": 2, "state_dict": second}, tmp_path / "last.pth")
    torch.save({"epoch": 2, "state_dict": second}, tmp_path / "two.pth")
    assert [entry.epoch for entry in opened.refresh()] == [2]
    assert "other weights than when it was opened" in opened.unreadable[tmp_path / "last.pth"]
    assert _equal(opened.bundle(2), second)


def test_files_that_are_being_written_are_left_for_the_next_refresh(tmp_path):
    a, b, c = _states(3)
    _save({"epoch": 1, "state_dict": a}, tmp_path / "one.pth")
    opened = dw.open_checkpoints(tmp_path, make_net(), input_size=SIZE)
    assert opened.refresh() == ()
    whole = _save({"epoch": 2, "state_dict": b}, tmp_path / "two.pth").read_bytes()
    (tmp_path / "two.pth").write_bytes(whole[: len(whole) // 2])
    assert (opened.refresh(), list(opened.unreadable), opened.epochs) == ((), [tmp_path / "two.pth"], (1,))
    with pytest.warns(UserWarning, match=r"two\.pth is damaged"):
        assert dw.open_checkpoints(tmp_path, make_net(), input_size=SIZE).epochs == (1,)
    assert "1 unreadable" in repr(opened)
    (tmp_path / "two.pth").write_bytes(whole)
    assert [entry.epoch for entry in opened.refresh()] == [2]
    assert (opened.epochs, opened.unreadable) == ((1, 2), {})
    assert _equal(opened.bundle(2), b)
    _old(tmp_path / "two.pth").write_bytes(whole[:99])
    _old(tmp_path / "two.pth")
    with pytest.warns(UserWarning, match=r"two\.pth is damaged"):
        assert dw.open_checkpoints(tmp_path, make_net(), input_size=SIZE).epochs == (1,)
    _save({"epoch": 1, "state_dict": c}, tmp_path / "other.pth")
    assert opened.refresh() == ()
    assert "as one.pth is, with other weights" in opened.unreadable[tmp_path / "other.pth"]


def test_a_file_that_was_replaced_is_not_taken_for_the_old_one(tmp_path):
    a, b = _states(2)
    for path, write in ((tmp_path / "one.pth", _save), (tmp_path / "epoch-0003.safetensors", None)):
        opened_states = []
        for state in (a, b):
            if write is None:
                write_checkpoint(tmp_path, 3, state)
            else:
                write({"epoch": 3, "state_dict": state}, path)
            opened_states.append(dw.open_checkpoints([path], make_net(), input_size=SIZE))
        with pytest.raises(CheckpointError, match="has changed since it was opened"):
            opened_states[0].bundle(3)
        assert _equal(opened_states[1].bundle(3), b)


def test_a_folder_of_a_training_that_has_just_begun_is_empty(tmp_path):
    write_description(tmp_path, TrainingDescription(name="net", input_size=SIZE))
    opened = dw.open_checkpoints(tmp_path, make_net())
    assert (opened.epochs, opened.refresh(), repr(opened)) == ((), (), f"Checkpoints(net, epochs none yet in {str(tmp_path)!r})")
    with pytest.raises(CheckpointError, match="no checkpoint yet: wait for the first one"):
        _ = opened.categories
    write_checkpoint(tmp_path, 0, make_net().state_dict())
    (tmp_path / ".epoch-0001.safetensors.part").write_bytes(b"half")
    (tmp_path / "state.safetensors").write_bytes(b"of the training")
    assert [entry.epoch for entry in opened.refresh()] == [0]


def test_a_renamed_checkpoint_is_refused(tmp_path):
    write_checkpoint(tmp_path, 5, make_net().state_dict()).rename(_old(tmp_path) / "epoch-0006.safetensors")
    with pytest.raises(CheckpointError, match="was renamed: it is the checkpoint of epoch 5"):
        dw.open_checkpoints([_old(tmp_path / "epoch-0006.safetensors")], make_net())


def test_the_architecture_of_a_folder_is_known(tmp_path):
    names = ("no", "yes", "maybe")
    transform = Preprocess(resize=70, crop=(64, 64))
    write_description(
        tmp_path, TrainingDescription(architecture="squeezenet1_1", categories=names, input_size=(3, 64, 64), transform=transform)
    )
    net = type(dw.load_model("squeezenet1_1", weights=None).model)(version="1_1", num_classes=3)
    write_checkpoint(tmp_path, 8, net.state_dict(), architecture="squeezenet1_1")
    bundle = dw.open_checkpoints(tmp_path).bundle(8)
    assert (bundle.name, bundle.categories, bundle.transform) == ("squeezenet1_1, epoch 8", names, transform)
    assert bundle.prepare(Image.fromarray(np.zeros((80, 90, 3), np.uint8))).shape == (3, 64, 64)


def test_a_bundle_gives_everything_but_the_weights(tmp_path):
    template = dw.ModelBundle.from_module(make_net().eval(), input_size=SIZE, categories=["no", "yes"], name="template", task="softmax")
    _save({"epoch": 2, "state_dict": (state := _states(1)[0])}, tmp_path / "two.pth")
    bundle = dw.open_checkpoints(tmp_path, template).bundle(2)
    assert (bundle.categories, bundle.classifier, bundle.name) == (template.categories, template.classifier, "template, epoch 2")
    assert _equal(bundle, state)
    with pytest.raises(CheckpointError, match="build is a ModelBundle, which has a transform"):
        dw.open_checkpoints(tmp_path, template, categories=["a", "b"])
    with pytest.raises(CheckpointError, match="has a head or changed units"):
        dw.open_checkpoints(tmp_path, template.with_units({("conv1", 0): 0.0})).bundle(2)


@pytest.mark.parametrize(
    ("source", "build", "reason"),
    [
        (3, SmallNet, "source must be a folder, or a sequence of files"),
        ([], SmallNet, "source must be a folder, or a sequence of files"),
        ([3], SmallNet, "each file of source must be a path"),
        ("missing.pth", SmallNet, "There is no file or folder missing.pth"),
        (["one.pth", "one.pth"], SmallNet, "given twice"),
        ("empty", SmallNet, "has no checkpoints: no file that ends in .safetensors"),
        ("one.pth", None, "do not tell their architecture: pass build="),
        ("one.pth", 3, "build must be the name of an architecture"),
        ("one.pth", "resnet1", "There is no model 'resnet1'. Did you mean"),
        ("one.pth", lambda: 3, "build must return a torch.nn.Module, not 3"),
        ("one.pth", lambda classes: 3, "build must be callable without arguments"),
        ("text.pth", SmallNet, "text.pth is damaged, or not a PyTorch checkpoint"),
    ],
)
def test_what_cannot_be_opened_is_refused_in_words(tmp_path, monkeypatch, source, build, reason):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    _save({"epoch": 1, "state_dict": _states(1)[0]}, tmp_path / "one.pth")
    (tmp_path / "text.pth").write_text("hello")
    _old(tmp_path / "text.pth")
    with pytest.raises(DeconvWidgetsError, match=reason):
        dw.open_checkpoints(source, build, input_size=SIZE).bundle(1)


def test_a_checkpoint_that_is_not_there_is_refused(tmp_path):
    dw.CheckpointRecorder(tmp_path / "run", make_net(), input_size=SIZE)
    opened = dw.open_checkpoints(tmp_path / "run", make_net())
    for epoch in (3, -1, True, "0", None):
        with pytest.raises(CheckpointError, match="There is no checkpoint of epoch"):
            opened.bundle(epoch)
    assert opened[-1].epoch == 0
    assert opened[:1] == tuple(opened)
