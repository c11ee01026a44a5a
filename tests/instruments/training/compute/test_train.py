"""dw.train as a whole: that it learns, what it writes, how it is resumed and stopped, and what it refuses."""

import errno
import json
import shutil
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import deconvwidgets as dw
from deconvwidgets.checkpoints.log_file import read_log, request_stop
from deconvwidgets.compute.job import JobContext
from deconvwidgets.errors import JobCancelledError, TrainingError
from deconvwidgets.index.lock import FileLock
from deconvwidgets.instruments.training.compute import state as state_module
from tests.conftest import NoisePhotographs
from tests.instruments.training.compute.conftest import CLASSES, small

QUICK = {"input_size": 24, "epochs": 3, "batch_size": 16, "device": "cpu", "progress": False}


def without_times(log):
    return [replace(epoch, seconds=None, images_per_second=None) for epoch in log.epochs]


def same_weights(one, other):
    states = one.bundle.model.state_dict(), other.bundle.model.state_dict()
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.fixture(scope="module")
def trained(coloured, tmp_path_factory):
    return dw.train(small, coloured, out=tmp_path_factory.mktemp("trained"), **QUICK, momentum=0.8)


def test_a_tiny_set_is_overfitted(coloured_folder, tmp_path):
    few = dw.open_images(coloured_folder).subset([0, 1, 21, 22, 42, 43])
    fields = QUICK | {"epochs": 12, "batch_size": 1, "learning_rate": 0.02}
    trained = dw.train(small, few, out=tmp_path, **fields, validation_share=0, dropout=0, crops=None, flips=False)
    assert trained.log.epochs[-1].train_top1 == 1
    assert trained.log.epochs[-1].train_loss < 0.1 < trained.log.epochs[1].train_loss
    assert trained.log.epochs[-1].validation_loss is None


def test_the_result_is_a_bundle_with_the_log_and_the_checkpoints(trained, coloured):
    assert trained.bundle.categories == CLASSES
    assert (trained.bundle.name, trained.bundle.input_size, trained.bundle.trained) == ("small", (3, 24, 24), True)
    assert trained.checkpoints.epochs == (0, 1, 2, 3)
    assert trained.log == read_log(trained.folder)
    assert [epoch.epoch for epoch in trained.log.epochs] == [0, 1, 2, 3]
    assert trained.log.progress.state == "finished"
    last = trained.log.epochs[-1]
    assert set(last.weight_rms) == set(last.update_rms) == {"0", "5"}
    assert last.learning_rate == 0.01
    assert last.train_top5 == last.validation_top5 == 1  # of three classes
    assert not trained.checkpoints.bundle(0).trained
    final = trained.checkpoints.bundle(3).model.state_dict()
    assert all(torch.equal(final[name], value) for name, value in trained.bundle.model.state_dict().items())
    assert "small, 3 epochs, validation top-1" in repr(trained)
    index = dw.ActivationIndex.build(trained.bundle, coloured.subset(range(0, 63, 9)), progress=False)
    assert index.top("conv1", 0)
    assert json.loads((trained.folder / "training.json").read_text())["categories"] == list(CLASSES)


def test_validation_is_that_of_the_bundle_on_the_held_out_photographs(trained, coloured):
    """The log's last validation against the bundle's own transform on the photographs, one by one."""
    from deconvwidgets.images.labels import labels_of
    from deconvwidgets.images.splits import hold_out

    labels = labels_of(coloured)
    held = hold_out(labels, 0.1, 0).test
    with torch.inference_mode():
        logits = torch.stack([trained.bundle.model(trained.bundle.prepare(coloured.open_source(n))[None])[0] for n in held])
    expected = nn.functional.cross_entropy(logits, torch.from_numpy(labels[held]))
    assert trained.log.epochs[-1].validation_loss == pytest.approx(float(expected), rel=1e-5)
    assert trained.log.epochs[-1].validation_top1 == pytest.approx(float((logits.argmax(1).numpy() == labels[held]).mean()))


def test_a_finished_training_is_returned_and_a_longer_one_goes_on(trained, coloured, tmp_path):
    again = dw.train(small, coloured, out=trained.folder, **QUICK, momentum=0.8)
    assert same_weights(again, trained)
    fields = QUICK | {"epochs": 2}
    dw.train(small, coloured, out=tmp_path, **fields, momentum=0.8)
    longer = dw.train(small, coloured, out=tmp_path, **QUICK, momentum=0.8)
    assert same_weights(longer, trained)
    assert without_times(longer.log) == without_times(trained.log)


class StoppedAfter:
    """Cancels at a call of `cancelled`, or asks to stop by the file."""

    def __init__(self, calls, folder=None):
        self.calls, self.folder = calls, folder

    def __call__(self):
        self.calls -= 1
        if self.calls == 0 and self.folder is not None:
            request_stop(self.folder)
        return self.calls <= 0 and self.folder is None


@pytest.mark.parametrize("by_file", [True, False])
def test_stopped_within_an_epoch_and_resumed_it_gives_the_same_weights(trained, coloured, tmp_path, by_file):
    with pytest.raises(JobCancelledError, match="same arguments to resume"):
        dw.train(
            small, coloured, out=tmp_path, **QUICK, momentum=0.8, job=JobContext(cancelled=StoppedAfter(8, tmp_path if by_file else None))
        )  # fmt: skip
    progress = read_log(tmp_path).progress
    assert progress.state == "cancelled"
    assert 0 < progress.epoch * progress.steps + progress.step < 3 * progress.steps
    resumed = dw.train(small, coloured, out=tmp_path, **QUICK, momentum=0.8)
    assert same_weights(resumed, trained)
    assert without_times(resumed.log) == without_times(trained.log)


def test_photographs_decoded_anew_give_the_same_weights(trained, coloured, tmp_path):
    streamed = dw.train(small, coloured, out=tmp_path, **QUICK, momentum=0.8, memory_share=0)
    assert same_weights(streamed, trained)


def test_an_optimiser_and_a_schedule_of_ones_own_are_used_and_resumed(coloured, tmp_path):
    fields = QUICK | {"optimizer": lambda parameters: torch.optim.AdamW(parameters, lr=1e-3), "schedule": lambda epoch: 1e-3 / (epoch + 1)}
    whole = dw.train(small, coloured, out=tmp_path / "whole", **fields)
    assert [epoch.learning_rate for epoch in whole.log.epochs[1:]] == pytest.approx([1e-3, 5e-4, 1e-3 / 3])
    with pytest.raises(JobCancelledError):
        dw.train(small, coloured, out=tmp_path / "parts", **fields, job=JobContext(cancelled=StoppedAfter(9)))
    assert same_weights(dw.train(small, coloured, out=tmp_path / "parts", **fields), whole)


def test_the_learning_rate_is_annealed_when_validation_stalls(coloured, tmp_path):
    """With a learning rate that changes nothing in float32, validation stalls at once."""
    fields = QUICK | {"epochs": 5, "learning_rate": 1e-30}
    trained = dw.train(small, coloured, out=tmp_path, **fields, annealing_patience=2)
    assert [epoch.learning_rate for epoch in trained.log.epochs[1:]] == pytest.approx([1e-30, 1e-30, 1e-30, 1e-31, 1e-31])


def test_a_diverging_loss_ends_the_training_and_keeps_the_last_state(coloured, tmp_path):
    fields = QUICK | {"schedule": lambda epoch: 1e-3 if epoch < 1 else 1e30}
    with pytest.raises(TrainingError, match=r"no longer a finite number in epoch 2.*smaller learning rate"):
        dw.train(small, coloured, out=tmp_path, **fields)
    log = read_log(tmp_path)
    assert (log.progress.state, log.epochs[-1].epoch) == ("failed", 1)
    checkpoints = dw.open_checkpoints(tmp_path, build=small(3), input_size=(3, 24, 24))
    assert checkpoints.epochs == (0, 1)
    assert state_module.all_finite(checkpoints.bundle(1).model)


def test_paper_networks_and_variants_are_trained_at_small_sizes(coloured, tmp_path):
    fields = QUICK | {"epochs": 1, "input_size": 64, "batch_size": 64}
    trained = dw.train("zfnet_without_3_4_6_7", coloured, out=tmp_path, **fields)
    start = dw.open_checkpoints(tmp_path).bundle(0)
    weights = [module.weight for module in start.model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert all(0.009 < float(weight.std()) < 0.011 for weight in weights)
    assert trained.bundle.network.layer("conv3").channels == 256
    assert len(weights) == 4
    assert all(float(module.bias.abs().max()) == 0 for module in start.model.modules() if isinstance(module, nn.Conv2d | nn.Linear))


def test_a_module_is_trained_from_its_weights_and_not_changed(coloured, tmp_path):
    net = small(3)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    trained = dw.train(net, coloured, out=tmp_path, **QUICK | {"epochs": 1}, pretrained=True)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert trained.checkpoints.bundle(0).trained
    start = trained.checkpoints.bundle(0).model.state_dict()
    assert all(torch.equal(start[name], value) for name, value in before.items())


def test_frozen_parameters_stay_as_they_are_with_a_warning(coloured, tmp_path):
    """Neither steps nor initial weights nor the filter limit of the recipe change them."""
    network = small(3)
    network[0].requires_grad_(False)
    recipe = {**QUICK, "initial_std": 0.05, "max_filter_rms": 1e-3}
    with pytest.warns(UserWarning, match=r"456 of the 621 parameters of Sequential are frozen .*: 0\.weight, 0\.bias\): they stay"):
        found = dw.train(network, coloured, out=tmp_path, **recipe).bundle.model.state_dict()
    before = network.state_dict()
    assert {name for name in before if torch.equal(before[name], found[name])} == {"0.weight", "0.bias"}


def test_a_frozen_batch_norm_stays_as_it_is(coloured, tmp_path):
    network = nn.Sequential(nn.Conv2d(3, 6, 5, stride=2), nn.BatchNorm2d(6), *list(small(3))[1:])
    network[:2].requires_grad_(False)
    with pytest.warns(UserWarning, match="frozen"):
        found = dw.train(network, coloured, out=tmp_path, **QUICK, pretrained=True).bundle.model.state_dict()
    before = network.state_dict()
    same = {name for name in before if torch.equal(before[name], found[name])}
    assert {name.split(".")[0] for name in same} == {"0", "1"}
    assert {name for name in before if name.startswith("1.")} <= same


@pytest.mark.parametrize("steps", [0, 2])
def test_a_training_that_is_cut_short_ends_with_a_whole_epoch(coloured, tmp_path, steps):
    """It was to have ten epochs, and is stopped some steps after the second."""
    longer, looks = QUICK | {"epochs": 10, "save_epochs": [0]}, []

    def cancelled():
        if (tmp_path / "log.jsonl").exists() and len(read_log(tmp_path).epochs) > 2:
            looks.append(1)
        return len(looks) > steps

    with pytest.raises(JobCancelledError, match=f"after 2 of 10 epochs and {steps} steps"):
        dw.train(small, coloured, out=tmp_path, **longer, job=JobContext(cancelled=cancelled))
    shorter = longer | {"epochs": 2}
    if steps:
        with pytest.raises(TrainingError, match=r"already 2 steps into epoch 3: pass epochs=3 or more"):
            dw.train(small, coloured, out=tmp_path, **shorter)
        return
    found = dw.train(small, coloured, out=tmp_path, **shorter)
    assert (found.checkpoints.epochs, found.log.progress.state, found.log.progress.epochs) == ((0, 2), "finished", 2)
    assert same_weights(found, dw.train(small, coloured, out=tmp_path / "fresh", **shorter))


def test_torchs_generator_is_left_as_it_was(coloured, tmp_path):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    dw.train(small, coloured, out=tmp_path, **QUICK | {"epochs": 1})
    assert torch.equal(torch.rand(3), expected)


@contextmanager
def gradients_disabled():
    torch.set_grad_enabled(False)
    try:
        yield
        assert not torch.is_grad_enabled()
    finally:
        torch.set_grad_enabled(True)


@pytest.mark.parametrize("mode", [gradients_disabled, torch.no_grad, torch.inference_mode])
def test_it_trains_where_the_caller_has_switched_gradients_off(trained, coloured, tmp_path, mode):
    with mode():
        found = dw.train(small, coloured, out=tmp_path / "function", **QUICK, momentum=0.8)
        dw.train(small(3), coloured, out=tmp_path / "module", **QUICK | {"epochs": 1})  # made in that mode
    assert same_weights(found, trained)
    assert not any(value.is_inference() for value in found.bundle.model.state_dict().values())


class Unlabelled(NoisePhotographs):
    def label(self, source):
        return None


class OneClass(NoisePhotographs):
    def label(self, source):
        return 1


@pytest.mark.parametrize(
    ("architecture", "fields", "message"),
    [
        ("zfnett", {}, "Did you mean zfnet"),
        ("zfnet", {"input_size": 32}, r"zfnet cannot take inputs of 32 x 32.*input_size=48"),
        ("alexnet", {"input_size": 32}, r"alexnet cannot take inputs of 3 x 32 x 32.*input_size=64"),
        ("hf:microsoft/resnet-50", {}, "a function of the number of classes"),
        (nn.Conv2d(3, 2, 3), {}, r"returned a tensor of \(2, 2, 22, 22\).*3 classes"),
        (small(4), {}, r"\(2, 4\) for 2 images, and the image set has 3 classes"),
        (nn.Sequential(nn.Flatten()), {}, "no parameters"),
        (small(3).half(), {}, r"has parameters of float16, and networks are trained in float32: pass network\.float\(\)"),
        (small(3).bfloat16(), {}, "has parameters of bfloat16"),
        (lambda classes: small(classes).double(), {}, "has parameters of float64"),
        (lambda classes: None, {}, "returned None, not a torch.nn.Module"),
        (lambda: None, {}, "failed with the number of classes, 3"),
        (7, {}, "architecture must be"),
        (small, {"input_size": (4, 24, 24)}, "3 channels, or 1"),
        (small, {"input_size": "24"}, "input_size must be"),
        (small, {"images": NoisePhotographs(12, broken=range(12))}, "None of the .* photographs can be read: noise-1 is truncated"),
        (small, {"images": Unlabelled()}, "has no labels"),
        (small, {"images": OneClass()}, "only one class, 'dog'"),
        (small, {"validation": Unlabelled()}, "has no labels"),
        (small, {"validation": NoisePhotographs()}, r"3 classes that the training images do not have: 'cat'"),
        (small, {"images": "nowhere"}, "images: Cannot open|images: .*nowhere"),
        ("zfnet", {"pretrained": True}, "zfnet is built with random weights"),
        (small, {"workers": 2}, "torchrun --nproc-per-node 2"),
        (small, {"recipe": {"epochs": 2}}, "recipe must be a dw.Recipe"),
        (small, {"out": ""}, "out must be the folder"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_words(coloured, tmp_path, architecture, fields, message):
    arguments = {"images": coloured, "out": tmp_path, **QUICK, **fields}
    with pytest.raises(TrainingError, match=message):
        dw.train(architecture, **arguments)


@pytest.mark.parametrize("architecture", [small, "zfnet", small(3)])
def test_another_default_type_is_refused_in_words(coloured, tmp_path, architecture):
    torch.set_default_dtype(torch.float64)
    try:
        with pytest.raises(TrainingError, match=r"default type is float64.*call torch\.set_default_dtype\(torch\.float32\)"):
            dw.train(architecture, coloured, out=tmp_path, **QUICK)
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"momentum": 0.9}, "momentum 0.8, and this one has 0.9"),
        ({"seed": 1}, "seed 0, and this one has 1"),
        ({"input_size": 32}, r"input size \(3, 24, 24\), and this one has \(3, 32, 32\)"),
        ({"resume": False}, "resume is False"),
        ({"pretrained": True}, "pretrained False"),
        ({"epochs": 2}, "has 3 epochs already, more than epochs=2"),
    ],
)
def test_another_training_in_the_folder_is_refused_by_what_differs(trained, coloured, changes, message):
    with pytest.raises(TrainingError, match=message):
        dw.train(small, coloured, out=trained.folder, **{**QUICK, "momentum": 0.8, **changes})


def test_checkpoints_without_a_description_are_neither_resumed_nor_deleted(coloured, tmp_path):
    dw.train(small, coloured, out=tmp_path, **QUICK | {"epochs": 1})
    for path in tmp_path.iterdir():
        if path.name != "epoch-0000.safetensors":
            path.unlink()
    with pytest.raises(TrainingError, match=r"has checkpoints or a log, but no training\.json"):
        dw.train(small, coloured, out=tmp_path, **QUICK)
    with pytest.raises(TrainingError, match=r"holds epoch-0000\.safetensors, but no training\.json: they may not be of a training"):
        dw.train(small, coloured, out=tmp_path, overwrite=True, **QUICK)
    assert (tmp_path / "epoch-0000.safetensors").exists()


def test_a_training_whose_state_was_deleted_does_not_begin_again(coloured, tmp_path):
    """It would replace its checkpoints."""
    dw.train(small, coloured, out=tmp_path, **QUICK | {"epochs": 1})
    (tmp_path / "state.safetensors").unlink()
    with pytest.raises(TrainingError, match=r"has 1 epoch, but no state\.safetensors"):
        dw.train(small, coloured, out=tmp_path, **QUICK)


def test_another_optimiser_is_refused_and_does_not_take_over_the_settings_of_the_first(coloured, tmp_path):
    """Two functions have the same name, as lambdas do: the state would replace the learning rate of the second."""

    def optimizer_of(kind, **settings):
        return lambda parameters: kind(parameters, **settings)

    fields = QUICK | {"epochs": 1, "optimizer": optimizer_of(torch.optim.AdamW, lr=1e-3)}
    dw.train(small, coloured, out=tmp_path, **fields)
    for other, message in (
        (optimizer_of(torch.optim.AdamW, lr=1e-4), r"has lr=0\.001, and this one 0\.0001"),
        (optimizer_of(torch.optim.AdamW, lr=1e-3, betas=(0.8, 0.999)), r"has betas=\[0\.9, 0\.999\], and this one \[0\.8, 0\.999\]"),
        (optimizer_of(torch.optim.RMSprop, lr=1e-3), "begun with AdamW, and this one has RMSprop"),
    ):
        with pytest.raises(TrainingError, match=message):
            dw.train(small, coloured, out=tmp_path, **fields | {"epochs": 2, "optimizer": other})
    longer = dw.train(small, coloured, out=tmp_path, **fields | {"epochs": 2, "optimizer": optimizer_of(torch.optim.AdamW, lr=1e-3)})
    assert longer.log.epochs[-1].epoch == 2


def test_copies_of_a_photograph_in_training_and_validation_are_told(coloured_folder, tmp_path):
    pairs = tmp_path / "pairs"
    for path in coloured_folder.glob("*/0[0-3].png"):
        (pairs / path.parent.name).mkdir(parents=True, exist_ok=True)
        for copy in "ab":
            shutil.copy(path, pairs / path.parent.name / f"{path.stem}{copy}.png")
    with pytest.warns(UserWarning, match=r"photographs? to validate on (is|are) also among those to train on, by their pixels"):
        dw.train(small, pairs, out=tmp_path / "run", **QUICK | {"epochs": 1})


def test_other_images_and_another_network_are_refused(trained, coloured):
    with pytest.raises(TrainingError, match="of other images"):
        dw.train(small, coloured.subset(range(62)), out=trained.folder, **QUICK, momentum=0.8)
    wider = nn.Sequential(nn.Conv2d(3, 7, 5), nn.AdaptiveMaxPool2d(3), nn.Flatten(), nn.Linear(63, 3))
    with pytest.raises(TrainingError, match="another structure of the network"):
        dw.train(wider, coloured, out=trained.folder, **QUICK, momentum=0.8)


def test_overwriting_deletes_the_training_and_no_other_file(coloured, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    dw.train(small, coloured, out=tmp_path, **QUICK)
    trained = dw.train(small, coloured, out=tmp_path, **QUICK | {"epochs": 1}, seed=5, overwrite=True)
    assert trained.checkpoints.epochs == (0, 1)
    assert [epoch.epoch for epoch in trained.log.epochs] == [0, 1]
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_second_training_in_the_folder_is_refused(coloured, tmp_path):
    lock = FileLock(tmp_path / ".training.lock")
    lock.acquire()
    try:
        with pytest.raises(TrainingError, match="Another training writes to"):
            dw.train(small, coloured, out=tmp_path, **QUICK)
    finally:
        lock.release()


def test_a_full_disk_ends_the_training_in_words_and_it_can_be_resumed(trained, coloured, tmp_path, monkeypatch):
    real, written = state_module.write_atomic, []

    def full_after_three(*arguments):
        written.append(arguments)
        if len(written) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*arguments)

    monkeypatch.setattr(state_module, "write_atomic", full_after_three)
    with pytest.raises(TrainingError, match=r"No space left on device.*Free some space.*same arguments"):
        dw.train(small, coloured, out=tmp_path, **QUICK, momentum=0.8)
    assert read_log(tmp_path).progress.state == "failed"
    assert same_weights(dw.train(small, coloured, out=tmp_path, **QUICK, momentum=0.8), trained)


def test_a_damaged_state_is_refused(coloured, tmp_path):
    dw.train(small, coloured, out=tmp_path, **QUICK | {"epochs": 1})
    path = tmp_path / "state.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(TrainingError, match=r"state.safetensors is damaged.*overwrite=True"):
        dw.train(small, coloured, out=tmp_path, **QUICK)


def test_a_file_and_a_folder_that_cannot_be_made_are_refused(coloured, tmp_path):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(TrainingError, match=r"must be a folder|cannot be made"):
            dw.train(small, coloured, out=out, **QUICK)


def test_photographs_that_cannot_be_read_do_not_count(tmp_path):
    class SomeBroken(NoisePhotographs):
        def label(self, source):
            return source % 3

    def with_norm(classes):
        return nn.Sequential(nn.Conv2d(3, 6, 5, stride=2), nn.BatchNorm2d(6), *list(small(classes))[1:])

    broken, fields = SomeBroken(30, broken=(4, 9)), QUICK | {"epochs": 1, "validation": SomeBroken(6)}
    readable = broken.subset([source for source in range(30) if source not in (4, 9)])
    with pytest.warns(UserWarning, match=r"2 photographs cannot be read and left out: noise-4 is truncated"):
        trained = dw.train(with_norm, broken, out=tmp_path / "broken", **fields)
    assert same_weights(trained, dw.train(with_norm, readable, out=tmp_path / "readable", **fields))  # with the statistics of batch norm
    with pytest.warns(UserWarning, match=r"2 photographs cannot be read and left out: noise-4 is truncated"):
        from_files = dw.train(with_norm, broken, out=tmp_path / "files", **fields, memory_share=0)
    assert same_weights(trained, from_files)
    assert without_times(trained.log) == without_times(from_files.log)
    assert from_files.log.progress.steps == trained.log.progress.steps
    with pytest.warns(UserWarning, match="cannot be read"):  # in memory first, and then from files
        longer = [dw.train(with_norm, broken, out=tmp_path / out, **fields | {"epochs": 2}, memory_share=0) for out in ("broken", "files")]
    assert same_weights(*longer)


def test_a_photograph_that_is_lost_while_it_trains_is_left_out_of_its_batch(tmp_path):
    class Lost(NoisePhotographs):
        def label(self, source):
            return source % 3

    images, seen = Lost(30), []

    def report(progress):
        seen.append(progress)
        if (tmp_path / "log.jsonl").exists():
            images.broken.add(7)

    with pytest.warns(UserWarning, match="Photographs that cannot be read are left out: 1 of a batch"):
        found = dw.train(small, images, out=tmp_path, **QUICK, memory_share=0, validation_share=0, job=JobContext(on_progress=report))
    assert 0 < found.log.epochs[-1].train_loss < 10


def test_progress_is_written_while_it_trains(coloured, tmp_path):
    """From another thread, as another process would read it."""
    seen, done = [], threading.Event()

    def watch():
        while not done.is_set():
            if (tmp_path / "progress.json").exists() and (progress := read_log(tmp_path).progress) is not None:
                seen.append(progress)
            time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        dw.train(small, coloured, out=tmp_path, **QUICK, job=JobContext(on_progress=lambda progress: time.sleep(0.05)))
    finally:
        done.set()
        watcher.join()
    running = [progress for progress in seen if progress.state == "running"]
    assert running
    assert all(progress.epochs == 3 and progress.steps == 4 for progress in running)
    assert any(progress.seconds_left is not None for progress in running)
    assert np.all(np.diff([progress.epoch * 4 + progress.step for progress in running]) >= 0)


def test_a_progress_text_has_one_line_per_epoch(coloured, tmp_path, capsys):
    dw.train(small, coloured, out=tmp_path, **QUICK | {"progress": True, "epochs": 2})
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch")]
    assert [line[:9] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert "validation loss" in lines[0]
