"""A study that is trained, watched, cancelled and resumed through its folder, and its panel."""

from __future__ import annotations

import gc
import json
import shutil
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import deconvwidgets as dw
from deconvwidgets.errors import AblationError, ServiceError
from deconvwidgets.instruments.ablation.compute import one_run
from deconvwidgets.instruments.ablation.compute.plan import plan_study
from deconvwidgets.instruments.ablation.compute.study_file import STUDY_FILE
from deconvwidgets.instruments.ablation.service.api import LocalAblationService
from deconvwidgets.service.protocol import ServiceEvent
from tests.instruments.ablation.conftest import QUICK, SPECS
from tests.instruments.training.compute.conftest import CLASSES
from tests.widgets.requests import wait_until


@pytest.fixture
def services() -> Iterator[Callable[..., LocalAblationService]]:
    """Return a function that makes services, which are closed at the end."""
    made: list[LocalAblationService] = []

    def make(*arguments: Any, **options: Any) -> LocalAblationService:
        made.append(LocalAblationService(*arguments, interval=0.3, **options))
        return made[-1]

    yield make
    for service in made:
        service.close()


def planned(images: Any, out: Path, overwrite: bool = False, **fields: Any) -> Any:
    options = {name: value for name, value in QUICK.items() if name != "input_size"}
    return plan_study(SPECS, images, None, 2, out, fields={**options, **fields}, input_size=24, device="cpu", overwrite=overwrite)


def test_what_is_trained_is_known_before_it_begins(services: Any, coloured: Any, tmp_path: Path) -> None:
    status = services(planned(coloured, tmp_path)).status()
    assert (status.phase, status.can_start, status.can_cancel, status.explorable) == ("new", True, False, True)
    assert [row.variant.name for row in status.table.rows] == list(SPECS)
    assert (status.table.planned, status.table.complete) == (6, 0)
    assert dict(status.recipe)["Batch"] == "16 images"
    assert not (tmp_path / STUDY_FILE).exists()


def test_a_study_is_cancelled_from_another_service_and_resumed(services: Any, coloured: Any, tmp_path: Path) -> None:
    service, watching = services(planned(coloured, tmp_path, epochs=400)), services(tmp_path)
    assert "There is no study" in watching.status().message
    events: list[ServiceEvent] = []
    watching.subscribe(events.append)
    service.start(["whole"])
    wait_until(lambda: watching.status().table.rows and watching.status().table.rows[0].runs[0].epoch >= 2, 90)
    assert watching.status().phase == "running"
    with pytest.raises(AblationError, match=r"is running in .* already"):
        service.start()
    with pytest.raises(AblationError, match="only watches"):
        watching.start()
    watching.cancel()
    service.wait(90)
    assert (service.status().phase, service.status().can_start) == ("incomplete", True)
    wait_until(lambda: watching.status().phase == "incomplete")
    assert {event.kind for event in events} == {"ablation"}
    with pytest.raises(AblationError, match="No study is running"):
        watching.cancel()
    epoch = service.status().table.rows[0].runs[0].epoch
    service.start(["whole"])
    wait_until(lambda: watching.status().table.rows[0].runs[0].epoch > epoch, 90)
    service.cancel()
    service.wait(90)


def test_a_complete_study_is_shown_and_explored(services: Any, study: dw.AblationStudy, coloured: Any, tmp_path: Path) -> None:
    service = services(study)
    status = service.status()
    assert (status.phase, status.table, status.can_start) == ("complete", study.table, False)
    model = service.model_service("2 maps", 1)
    assert model is service.model_service("2 maps", 1)
    with pytest.raises(AblationError, match="no run with seed 7"):
        service.model_service("2 maps", 7)
    finished = services(planned(coloured, Path(shutil.copytree(study.folder, tmp_path / "copy"))))
    with pytest.raises(AblationError, match="is complete"):
        finished.start()
    assert json.loads(service.file("ablation.json"))["interval"].startswith("95%")


def test_a_damaged_study_is_reported_in_words(services: Any, study: dw.AblationStudy, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(study.folder, tmp_path / "copy"))
    service = services(folder)
    (folder / STUDY_FILE).write_text("{")
    service.look()
    assert "study.json is damaged" in service.status().message
    with pytest.raises(ServiceError, match="nothing to save"):
        service.file("ablation.csv")
    shutil.copy(study.folder / STUDY_FILE, folder / STUDY_FILE)
    service.look()
    assert (service.status().message, service.status().phase) == ("", "complete")


def test_the_panel_of_a_study(study: dw.AblationStudy, coloured: Any, tmp_path: Path) -> None:
    with dw.AblationPanel(study) as panel, dw.AblationPanel(str(study.folder)) as by_folder, dw.AblationPanel(folder=tmp_path) as empty:
        assert panel.table == by_folder.table == study.table
        assert panel.summary["baseline"] == "whole"
        assert set(panel.summary["top1_error"]) == set(SPECS)
        assert (empty.summary, empty.status.phase) == ({}, "new")
        for suffix in ("csv", "json", "html", "png", "svg", "pdf"):
            assert panel.save(tmp_path / f"table.{suffix}").stat().st_size > 100
        with panel.layer_explorer("whole") as explorer:
            assert explorer.state["layer"]
        with pytest.raises(ServiceError, match="no run of the study"):
            empty.save(tmp_path / "none.csv")
    with pytest.raises(AblationError, match="not both"):
        dw.AblationPanel(study, folder=tmp_path)
    with pytest.raises(AblationError, match="give out="):
        dw.AblationPanel(SPECS, coloured)
    with pytest.raises(TypeError, match="no argument 'epochs'"):
        dw.AblationPanel(study, epochs=3)


def test_the_panel_trains_what_it_is_given(coloured: Any, tmp_path: Path) -> None:
    panel = dw.AblationPanel(SPECS, coloured, seeds=1, out=tmp_path, device="cpu", **QUICK)
    with panel:
        panel.start(["whole", "2 maps"])
        table = panel.wait(120)
        assert [row.complete for row in table.rows] == [1, 0, 1]
        assert panel.status.phase == "incomplete"
    assert dw.AblationStudy(tmp_path, SPECS).bundle("whole").categories == CLASSES


def test_what_a_panel_trained_by_overwriting_is_not_overwritten_by_its_next_start(
    services: Any, study: dw.AblationStudy, coloured: Any, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(study.folder, tmp_path / "study"))
    service = services(planned(coloured, folder, overwrite=True, learning_rate=0.01))
    for variant in ("2 maps", "whole"):
        service.start([variant])
        service.wait(90)
    complete = {run.variant for row in service.status().table.rows for run in row.runs if run.complete}
    assert complete == {"2 maps", "whole"}
    assert service.model_service("whole", 0) is service.model_service("whole", 0)


def test_numbers_of_a_study_that_is_replaced_are_not_shown_under_the_new_one(
    services: Any, study: dw.AblationStudy, coloured: Any, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(study.folder, tmp_path / "study"))
    with dw.AblationPanel(SPECS, coloured, out=folder, device="cpu", overwrite=True, **{**QUICK, "learning_rate": 0.01}) as panel:
        assert (panel.status.phase, panel.status.can_start, panel.summary) == ("new", True, {})
        assert panel.status.message == f"Start deletes the earlier study in {folder}."
        assert [(run.phase, run.epoch, run.top1_error, run.curve) for row in panel.table.rows for run in row.runs] == [
            ("new", 0, None, ())
        ] * len(panel.table.rows) * 3
        with pytest.raises(ServiceError, match=r"no run of the study in .* is complete yet"):
            panel.save(tmp_path / "table.csv")
        with pytest.raises(AblationError, match=r"are of an earlier one, which start\(\) deletes"):
            panel.layer_explorer("whole")
    assert [row.top1_error for row in dw.AblationStudy(folder).table.rows] == [row.top1_error for row in study.table.rows], "it is kept"


def test_a_run_that_fails_after_its_training_is_told(services: Any, coloured: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_memory(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("no memory is left")

    service = services(planned(coloured, tmp_path, epochs=1))
    measure = one_run.measure_training_error
    monkeypatch.setattr(
        one_run,
        "measure_training_error",
        lambda trained, *rest: out_of_memory() if "2 maps" in str(trained.folder) else measure(trained, *rest),
    )
    service.start()
    status = service.wait(90).status()
    assert status.phase == "incomplete"
    assert "2 maps, seed 0" in status.message
    assert "memory" in status.message


def test_the_service_of_an_earlier_checkpoint_ends_with_its_explorers(services: Any, study: dw.AblationStudy, coloured: Any) -> None:
    with dw.AblationPanel(dw.AblationStudy(study.folder, SPECS, coloured)) as panel:
        explorer = panel.layer_explorer("whole", 0)
        kept, other = (weakref.ref(panel._service.model_service(name, 0)) for name in ("whole", "2 maps"))
        service = panel._service
    del panel
    wait_until(lambda: gc.collect() is not None and other() is None)
    assert kept() is explorer._service
    explorer.close()
    del explorer
    wait_until(lambda: gc.collect() is not None and kept() is None)
    assert service.status().phase == "complete"
