"""The evolution service: cells as the LayerExplorer draws them, columns that appear and fail, and models that are not all kept."""

import gc
import re
import subprocess
import sys
import threading
import weakref

import pytest

import deconvwidgets as dw
from deconvwidgets.checkpoints.checkpoint_file import checkpoint_path, write_checkpoint
from deconvwidgets.checkpoints.log_file import write_progress
from deconvwidgets.errors import CheckpointError, LayerError, ServiceError
from deconvwidgets.instruments.evolution.records import CellKey, CellPicturesRequest, UnitChoice
from deconvwidgets.instruments.evolution.service import epoch_models
from deconvwidgets.instruments.evolution.service.protocol import EvolutionService
from deconvwidgets.instruments.layers.records import PlacePicturesRequest
from deconvwidgets.records.training_log import TrainingProgress
from deconvwidgets.service.worker import SynchronousExecutor
from tests.conftest import NoisePhotographs, make_tiny_bundle
from tests.instruments.evolution.trainings import noise, unchanged, write_training

pytestmark = pytest.mark.usefixtures("own_cache")
CHANGES = {0: unchanged, 1: noise(1), 4: noise(2)}


@pytest.fixture
def service(tmp_path):
    service = dw.LocalEvolutionService(write_training(tmp_path, CHANGES), NoisePhotographs(), device="cpu", worker=SynchronousExecutor())
    yield service
    service.close()


def all_cells(service):
    units = tuple((layer.short_name, unit) for layer in service.overview().layers for unit in range(layer.units))
    rows = service.rows(UnitChoice(choose="chosen", units=units))  # with the dead one
    return [CellKey(cell.epoch, row.layer, row.unit) for row in rows for cell in row.cells]


def test_it_answers_the_protocol_and_describes_itself(service):
    assert isinstance(service, EvolutionService)
    overview = service.overview()
    assert overview.ready == (0, 1, 4)
    assert [(layer.short_name, layer.units) for layer in overview.layers] == [("conv1", 4), ("conv2", 5)]
    assert overview.notes[0] == "Epoch 0: random weights, untrained."
    assert [column.trained for column in overview.epochs] == [False, True, True]
    assert overview.sampled == 39
    assert overview.input_size == (3, 16, 16)


def test_a_cell_is_drawn_as_the_layer_explorer_draws_it(service):
    cells = all_cells(service)
    cells.sort(key=lambda key: key.epoch)
    parts = [tuple(key for key in cells if key.epoch == epoch) for epoch in (0, 1, 4)]  # one request each, as Play does
    pictures = [picture for part in parts for picture in service.cell_pictures(CellPicturesRequest(cells=part, tile=48))]
    assert [picture.key for picture in pictures] == cells
    assert any(picture.projection is not None for picture in pictures)
    for epoch in (0, 1, 4):
        bundle, images, index = service.model(epoch)
        with dw_service(bundle, images, index) as single:
            for picture in (one for one in pictures if one.key.epoch == epoch):
                if not index.top(picture.key.layer, picture.key.unit):
                    assert picture.reason == "The unit is active in no image."
                    continue
                request = PlacePicturesRequest(picture.key.layer, picture.key.unit, "strongest", (0,), tile=48)
                [expected] = single.layers.place_pictures(request)
                assert picture.patch == expected.patch
                assert picture.projection == expected.projection
                assert bool(picture.reason) == bool(expected.reason)
        assert service.layers_of(epoch).place_pictures(request) == [expected]


class dw_service:  # noqa: N801 - a context manager
    def __init__(self, bundle, images, index):
        self.service = dw.LocalModelService(bundle, images, index=index, device="cpu", worker=SynchronousExecutor())

    def __enter__(self):
        return self.service

    def __exit__(self, *_):
        self.service.close()


def test_rows_curves_and_histories_agree_with_feature_evolution(service, tmp_path):
    evolution = dw.feature_evolution(
        dw.open_checkpoints(tmp_path, build=make_tiny_bundle()), NoisePhotographs(), device="cpu", progress=False
    )
    for row in service.rows(UnitChoice(choose="chosen", units=(("conv2", 3), ("conv1", 2), ("conv2", 0)))):
        strongest = evolution.strongest(row.layer)
        assert [cell.value for cell in row.cells] == strongest.values[row.unit].tolist()
        assert [cell.changed for cell in row.cells] == strongest.changed[row.unit].tolist()
        history = service.history(row.layer, row.unit)
        assert history.values == tuple(cell.value for cell in row.cells)
        assert history.final[-1] == history.final_of
    for measure in ("correlation", "same_strongest", "cka"):
        curves = service.convergence(measure)
        assert curves.against == 4
        assert curves.curves[1].values == pytest.approx(getattr(evolution.convergence("conv2"), measure).tolist())
        assert curves.curves[1].values[-1] == 1
    assert service.convergence("correlation").curves[0].left_out == (1, 1, 1)


def test_a_checkpoint_that_appears_is_a_new_column(service, tmp_path):
    events = []
    service.subscribe(lambda event: events.append(event.kind), {"evolution"})
    write_checkpoint(tmp_path, 6, make_tiny_bundle(seed=7).model.state_dict())
    assert service.refresh() == (6,)
    assert service.overview().ready == (0, 1, 4, 6)
    assert "evolution" in events
    assert service.convergence().against == 6


def test_a_figure_has_the_columns_of_its_rows(service, tmp_path, monkeypatch):
    """A column that becomes ready in between, before another one, does not shift the headings."""
    plain = service.rows

    def rows(choice):
        found = plain(choice)
        write_checkpoint(tmp_path, 2, make_tiny_bundle(seed=7).model.state_dict())
        assert service.refresh() == (2,)
        return found

    monkeypatch.setattr(service, "rows", rows)
    page = service.figure("evolution.html", {"choose": "chosen", "units": [("conv2", 1)]}).decode()
    assert re.findall(r'<th scope="col">\D*(\d+)', page) == ["0", "1", "4"]
    assert re.findall(r'<td[^>]* title="conv2 unit 1, epoch (\d+)', page) == ["0", "1", "4"]
    assert page.partition('class="numbers"')[2].partition("</tr>")[0].count("<td>") == 3
    assert service.overview().ready == (0, 1, 2, 4)


def test_a_damaged_file_fails_for_its_column_only(service, tmp_path):
    failures = []
    service.subscribe(lambda event: failures.append(event.message), {"failed"})
    checkpoint_path(tmp_path, 5).write_bytes(b"half a file")
    state = make_tiny_bundle(classes=2).model.state_dict()
    write_checkpoint(tmp_path, 7, state)
    service.refresh()
    columns = {column.epoch: column for column in service.overview().epochs}
    assert {epoch: column.state for epoch, column in columns.items()} == {0: "ready", 1: "ready", 4: "ready", 5: "failed", 7: "failed"}
    assert "epoch-0005.safetensors" in columns[5].message
    assert "epoch-0007.safetensors" in columns[7].message
    assert any("Epoch 7" in failure for failure in failures)
    assert len(service.cell_pictures(CellPicturesRequest(cells=tuple(all_cells(service))))) == 27
    checkpoint_path(tmp_path, 5).unlink()
    write_checkpoint(tmp_path, 5, make_tiny_bundle(seed=7).model.state_dict())
    service.refresh()
    assert service.overview().ready == (0, 1, 4, 5)


def test_a_file_that_was_replaced_is_refused(service, tmp_path):
    service._models.forget()
    gc.collect()
    write_checkpoint(tmp_path, 1, make_tiny_bundle(seed=7).model.state_dict())
    with pytest.raises(CheckpointError, match="epoch"):
        service.cell_pictures(CellPicturesRequest(cells=(CellKey(1, "conv1", 0),)))


def test_only_the_last_models_are_kept(service, monkeypatch):
    service._models.forget()
    monkeypatch.setattr(service._models, "_snapshots", epoch_models._Recent(1))
    models = []
    for epoch in (0, 1, 4):
        service.cell_pictures(CellPicturesRequest(cells=(CellKey(epoch, "conv1", 0),)))
        models.append(weakref.ref(service._models.snapshot(epoch, service.index(epoch)).bundle.model))
    gc.collect()
    assert [model() is not None for model in models] == [False, False, True]


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (
            lambda service: service.cell_pictures(CellPicturesRequest(cells=(CellKey(3, "conv1", 0),))),
            ServiceError,
            "epochs 0, 1, 4 are ready",
        ),
        (lambda service: service.cell_pictures(CellPicturesRequest(cells=(CellKey(1, "conv8", 0),))), LayerError, "conv8"),
        (lambda service: service.cell_pictures(CellPicturesRequest(cells=(CellKey(1, "conv1", 99),))), LayerError, "99"),
        (lambda service: service.cell_pictures(CellPicturesRequest(cells=())), ServiceError, "1 to 256 cells"),
        (lambda service: service.cell_pictures(CellPicturesRequest(cells=(CellKey(1, "conv1", 0),), rule="x")), ServiceError, "rule"),
        (lambda service: service.rows(UnitChoice(choose="best")), ServiceError, "choice of units"),
        (lambda service: service.rows(UnitChoice(choose="chosen", units=(("conv1", 99),))), LayerError, "99"),
        (lambda service: service.rows(UnitChoice(count=0)), ServiceError, "count"),
        (lambda service: service.convergence("best"), ServiceError, "measure"),
        (lambda service: service.history("conv1", 99), LayerError, "99"),
        (lambda service: service.layers_of(3), ServiceError, "Epoch 3"),
        (lambda service: service.layers_of(True), ServiceError, "epoch"),
    ],
)
def test_a_wrong_request_is_refused(service, wrong, error, message):
    with pytest.raises(error, match=message):
        wrong(service)


def test_a_cancelled_build_waits_and_goes_on(tmp_path, manual_executor):
    service = dw.LocalEvolutionService(write_training(tmp_path, CHANGES), NoisePhotographs(), device="cpu", worker=manual_executor)
    service.cancel()
    manual_executor.jobs.pop().run()
    assert [column.state for column in service.overview().epochs] == ["waiting"] * 3
    with pytest.raises(ServiceError, match="resume"):
        service.wait()
    service.resume()
    manual_executor.jobs.pop().run()
    assert service.wait().overview().ready == (0, 1, 4)


def test_a_training_that_runs_is_told_from_one_that_has_ended(service, tmp_path):
    assert not service.overview().live  # checkpoints without a training that says how far it is
    events = []
    service.subscribe(lambda event: events.append(event.kind))
    for state, process, live in [("running", 0, True), ("finished", 0, False), ("running", 2**22 + 1, False)]:
        write_progress(tmp_path, TrainingProgress(state=state, epoch=4, epochs=9, process=process))
        service.refresh()
        assert service.overview().live == live
    (tmp_path / "progress.json").write_text("{")
    service.refresh()
    assert not service.overview().live
    assert "evolution" in events


def test_nothing_keeps_a_service_alive(tmp_path):
    service = dw.LocalEvolutionService(write_training(tmp_path, CHANGES), NoisePhotographs(), device="cpu").wait(60)
    service.subscribe(print)
    service.layers_of(1)
    gone = weakref.ref(service)
    del service
    gc.collect()
    assert gone() is None


@pytest.mark.slow
def test_columns_appear_while_another_process_trains(tmp_path):
    service = dw.LocalEvolutionService(write_training(tmp_path, {0: unchanged}), NoisePhotographs(), device="cpu").wait(60)
    appeared = threading.Event()
    service.subscribe(lambda event: appeared.set() if service.overview().ready == (0, 3) else None, {"evolution"})
    script = (
        "import sys, pathlib; from deconvwidgets.checkpoints.checkpoint_file import write_checkpoint;"
        "from tests.conftest import make_tiny_bundle;"
        "write_checkpoint(pathlib.Path(sys.argv[1]), 3, make_tiny_bundle(seed=5).model.state_dict())"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=120)
    assert appeared.wait(60)
    service.close()
