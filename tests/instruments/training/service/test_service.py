"""A training that is started, watched, cancelled and resumed through its folder, here and in other processes."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import deconvwidgets as dw
from deconvwidgets.checkpoints.log_file import append_epoch, write_progress
from deconvwidgets.errors import CheckpointError, ServiceError, TrainingError
from deconvwidgets.instruments.training.service.api import LocalTrainingService
from deconvwidgets.records.training_log import EpochLog, TrainingProgress
from deconvwidgets.service.protocol import ServiceEvent
from tests.instruments.training.compute import training_script
from tests.instruments.training.compute.conftest import CLASSES, coloured, coloured_folder, small
from tests.widgets.requests import wait_until

__all__ = ["coloured", "coloured_folder"]  # pytest finds fixtures by name

SETTINGS: dict[str, Any] = {"input_size": 24, "batch_size": 14, "device": "cpu", "save_epochs": [0, 1]}


@pytest.fixture
def services() -> Iterator[Callable[..., LocalTrainingService]]:
    """Return a function that makes services, which are closed at the end."""
    made: list[LocalTrainingService] = []

    def make(*arguments: Any, **options: Any) -> LocalTrainingService:
        made.append(LocalTrainingService(*arguments, interval=0.05, **options))
        return made[-1]

    yield make
    for service in made:
        service.close()


def test_what_is_trained_is_known_before_it_begins(services: Any, coloured: Any, tmp_path: Path) -> None:
    service = services(small, coloured, out=tmp_path / "run", epochs=3, flips=False, **SETTINGS)
    status = service.status()
    plan = status.plan
    assert (status.phase, status.can_start, status.can_cancel) == ("new", True, False)
    assert (plan.model, plan.classes, plan.input_size, plan.epochs) == ("small", CLASSES, (3, 24, 24), 3)
    assert plan.training + plan.validation == 63
    assert plan.parameters == sum(parameter.numel() for parameter in small(3).parameters())
    parts = {part.name: part for part in plan.recipe}
    assert (parts["Flips"].on, parts["Flips"].source, parts["Flips"].paper) == (False, "changed", "on")
    assert (parts["Learning rate"].source, parts["Weight decay"].source) == ("paper", "ours")
    assert not (tmp_path / "run").exists()


def test_a_training_is_cancelled_from_another_service_and_resumed(services: Any, coloured: Any, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    service, watching = services(small, coloured, out=folder, epochs=500, **SETTINGS), services(folder=folder)
    assert "There is no folder" in watching.status().message
    events: list[ServiceEvent] = []
    watching.subscribe(events.append)
    service.start()
    wait_until(lambda: watching.status().epochs >= 3)
    with pytest.raises(TrainingError, match=r"is running in .*run already"):
        service.start()
    with pytest.raises(TrainingError, match="only watches"):
        watching.start()
    plan = watching.status().plan
    assert (plan.model, plan.classes, plan.epochs) == ("small", CLASSES, 500)
    watching.cancel()
    service.wait(20)
    assert (service.status().phase, service.status().resumes) == ("cancelled", True)
    wait_until(lambda: watching.status().phase == "cancelled")
    assert {event.kind for event in events} == {"training"}
    with pytest.raises(TrainingError, match="No training is running"):
        watching.cancel()
    epochs = service.status().epochs
    service.start()
    wait_until(lambda: watching.status().epochs > epochs)
    service.cancel()
    service.wait(20)
    assert service.checkpoints().epochs == (0, 1)
    assert service.bundle().name == "small, epoch 1"


def test_a_finished_training_is_complete_until_there_are_more_epochs(services: Any, coloured: Any, tmp_path: Path) -> None:
    service = services(small, coloured, out=tmp_path, epochs=1, **SETTINGS)
    service.start()
    service.wait(30)
    assert (service.status().phase, service.status().can_start) == ("finished", False)
    with pytest.raises(TrainingError, match="is complete: choose another folder, more epochs, or overwrite=True"):
        service.start()
    more = services(small, coloured, out=tmp_path, epochs=2, **SETTINGS)
    assert (more.status().can_start, more.status().resumes) == (True, True)
    more.start()
    assert [entry.epoch for entry in more.wait(30).log().epochs] == [0, 1, 2]
    again = services(small, coloured, out=tmp_path, epochs=1, overwrite=True, **SETTINGS)
    assert (again.status().can_start, again.status().resumes) == (True, False)
    assert (again.status().phase, again.status().checkpoints, again.log().epochs) == ("new", (), ()), "not those of the other training"
    assert again.status().message == f"Start deletes the earlier training in {tmp_path}."
    assert len(more.log().epochs) == 3


def test_what_a_service_trained_by_overwriting_is_resumed_by_its_next_start(services: Any, coloured: Any, tmp_path: Path) -> None:
    first = services(small, coloured, out=tmp_path, epochs=2, **SETTINGS)
    first.start()
    first.wait(60)
    service = services(small, coloured, out=tmp_path, epochs=400, overwrite=True, **SETTINGS)
    service.start()
    wait_until(lambda: service.look() or len(service.log().epochs) >= 3, 60)
    service.cancel()
    done = len(service.wait(60).log().epochs)
    assert (service.status().phase, service.status().resumes, done >= 3) == ("cancelled", True, True)
    service.start()
    wait_until(lambda: service.look() or len(service.log().epochs) > done, 60)
    service.cancel()
    assert [entry.epoch for entry in service.wait(60).log().epochs][:done] == list(range(done))


def test_a_panel_with_the_folder_alone_says_how_to_resume(services: Any, coloured: Any, tmp_path: Path) -> None:
    """The call in its message resumes the training, as it stands there."""
    folder = tmp_path / "run"
    settings = {**SETTINGS, "epochs": 1, "flips": False, "momentum": 0.5, "max_filter_rms": None}
    service = services(small, coloured, out=folder, **settings)
    service.start()
    service.wait(60)
    assert service.status().phase == "finished"
    write_progress(folder, TrainingProgress(state="cancelled", epoch=1, epochs=1))
    message = services(folder=folder).status().message
    assert message.startswith(
        "Cancelled; the state is saved. This panel has only the folder. To resume, open one with its network and images"
    )
    call = message[message.index("dw.TrainingPanel(") :].replace("epochs=1,", "epochs=2,")  # more, because the first one is complete
    with eval(call, {"dw": dw, "network": small, "images": coloured}) as panel:
        assert (panel.status.resumes, panel.status.can_start, panel.status.phase) == (True, True, "cancelled")
        panel.start()  # refused if anything differs
        panel.wait(60)
        assert panel.status.phase == "finished", panel.status.message
        assert [entry.epoch for entry in panel.epochs] == [0, 1, 2]


@pytest.mark.slow
def test_a_process_that_is_killed_is_seen_and_resumed_from_its_state(
    services: Any, coloured: Any, coloured_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    watching = services(folder=folder)
    command = [sys.executable, training_script.__file__, str(coloured_folder), str(folder), "0.2"]
    process = subprocess.Popen(command)
    wait_until(lambda: watching.look() or watching.status().epochs >= 2, 120)
    process.send_signal(signal.SIGKILL)
    process.wait()
    watching.look()
    assert watching.status().phase == "interrupted"
    assert "The process of the training ended" in watching.status().message
    assert "To resume, open one with" in watching.status().message
    options = {"input_size": 24, "batch_size": 14, "state_seconds": 0, "device": "cpu", "epochs": 4}
    service = services(training_script.with_dropout, coloured, out=folder, **options)
    assert (service.status().phase, service.status().can_start, service.status().resumes) == ("interrupted", True, True)
    service.start()
    service.wait(60)
    assert service.status().phase == "finished"
    whole = dw.train(training_script.with_dropout, coloured, out=tmp_path / "whole", progress=False, **options)
    state, expected = service.bundle().model.state_dict(), whole.bundle.model.state_dict()
    for name, tensor in expected.items():  # equal but for the order of sums in other numbers of threads
        torch.testing.assert_close(state[name], tensor, rtol=1e-3, atol=1e-5)


def watch_threads() -> set[threading.Thread]:
    """Return the threads that look at folders; panels that another test left open have theirs."""
    return {thread for thread in threading.enumerate() if thread.name == "deconvwidgets watch"}


def test_events_come_at_a_low_rate_and_not_at_all_without_listeners(services: Any, tmp_path: Path) -> None:
    others = watch_threads()
    service = LocalTrainingService(folder=tmp_path, interval=0.2)
    events: list[float] = []
    unsubscribe = service.subscribe(lambda event: events.append(time.monotonic()))
    begun = time.monotonic()
    step = 0
    while time.monotonic() < begun + 1.0 or len(events) < 2:
        assert time.monotonic() < begun + 60
        step += 1
        write_progress(tmp_path, TrainingProgress(state="running", epoch=0, epochs=9, step=step, steps=10_000))
        time.sleep(0.002)
    assert len(events) <= 2 + (time.monotonic() - begun) / 0.2, step
    unsubscribe()
    wait_until(lambda: watch_threads() <= others)


def test_a_service_that_nobody_refers_to_is_collected_and_its_watch_ends(tmp_path: Path) -> None:
    others = watch_threads()
    service: LocalTrainingService | None = LocalTrainingService(folder=tmp_path, interval=0.02)
    assert service is not None
    service.subscribe(print)
    assert watch_threads() - others
    service = None
    gc.collect()
    wait_until(lambda: watch_threads() <= others)


def test_a_training_goes_on_when_its_panel_is_closed(coloured: Any, tmp_path: Path) -> None:
    panel = dw.TrainingPanel(small, coloured, out=tmp_path, epochs=500, **SETTINGS)
    panel.start()
    panel.close()
    del panel
    gc.collect()
    with dw.TrainingPanel(folder=tmp_path) as other:
        wait_until(lambda: other._service.look() or len(other.epochs) >= 3)
        other.cancel()
        assert len(other.wait(20).epochs) >= 3
        assert other.summary["phase"] == "cancelled"


def test_what_goes_wrong_is_said_in_words(services: Any, coloured: Any, tmp_path: Path) -> None:
    service = services(small, coloured, out=tmp_path / "diverges", epochs=3, **{**SETTINGS, "learning_rate": 1e9})
    service.start()
    service.wait(30)
    assert service.status().phase == "failed"
    assert "learning rate" in service.status().message
    (tmp_path / "file").write_text("")
    service = services(small, coloured, out=tmp_path / "file", epochs=3, **SETTINGS)
    service.start()
    service.wait(30)
    assert "is a file" in service.status().message
    append_epoch(tmp_path, EpochLog(epoch=1, train_loss=float("nan")))
    assert "not a number since epoch 1" in services(folder=tmp_path).status().message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "Give what to train, such as"),
        ({"architecture": "zfnet"}, "Give what to train, such as"),
        ({"folder": "x", "epochs": 3}, "either watches a folder, or trains: give folder=..., or epochs, not both"),
        ({"folder": 5}, "folder must be a path"),
        ({"architecture": "zfnot", "out": "x"}, "zfnet"),
        ({"architecture": small, "out": "x", "epocs": 3}, "field of a recipe 'epocs'. Did you mean epochs"),
        ({"architecture": small, "out": "x", "recipe": 3}, r"recipe must be a dw\.Recipe"),
        ({"architecture": small, "out": 7}, "out must be a path"),
    ],
)
def test_invalid_arguments(coloured: Any, options: dict[str, Any], message: str) -> None:
    images = {"images": coloured} if "out" in options else {}
    with pytest.raises(TrainingError, match=message):
        LocalTrainingService(**images, **options)


def test_without_checkpoints_there_is_no_model(services: Any, tmp_path: Path) -> None:
    service = services(folder=tmp_path)
    for request in (service.checkpoints, service.bundle):
        with pytest.raises(CheckpointError, match="There are no checkpoints in"):
            request()
    with pytest.raises(ServiceError, match="There is nothing to save"):
        service.file("training.png")
