"""Solving a head again without units: the run, its comparison, and what is refused."""

import numpy as np
import pytest

import deconvwidgets as dw
from deconvwidgets.errors import HeadError, LayerError
from tests.instruments.transfer.service.test_runs import wait_until_status

OPTIONS = {"store": "memory", "device": "cpu", "progress": False}


def test_it_equals_mute_units_and_its_head_can_be_used(service, settings, tiny_bundle, colours):
    api = service.transfer
    base = api.start(settings(folds=3, curve=(1, 5)))
    number = api.solve_again({"conv2": [0, 3]})
    summary = api.status().runs[number - 1]
    expected = dw.mute_units(tiny_bundle, colours, {"conv2": [0, 3]}, None, 5, 3, **OPTIONS)
    assert (summary.phase, summary.base, summary.muted, summary.curve) == ("done", base, (("conv2", 0), ("conv2", 3)), None)
    assert (summary.per_fold, summary.change) == (expected.after.per_fold, expected.describe())
    assert api.muting(number).changes == expected.changes
    assert "without conv2 0, 3" in api.use_head(number)
    assert not service.overview().classifier.startswith("tiny")
    assert not api._runs.get(number).report.head.weight.reshape(3, 5, -1)[:, [0, 3]].any()
    assert "units left out" in api.file(number, "results.html").decode()
    # the head in use leaves units out: the run is compared with the one with all units again, and the units are those that are given
    again = api.solve_again("conv2 1")
    third = api.status().runs[again - 1]
    assert (third.base, third.muted) == (base, (("conv2", 1),))


def test_a_head_that_was_not_trained_here_is_trained_with_all_units_first(make_service, service, colours, tiny_bundle):
    images = dw.open_images(colours)
    report = dw.train_softmax_head(tiny_bundle, images, None, 5, 2, 7, **OPTIONS)
    api = make_service(service._context.executor, tiny_bundle.with_head(report.head), images).transfer
    number = api.solve_again([("conv2", 2)])
    runs = api.status().runs
    assert [(run.run, run.phase, run.muted) for run in runs] == [(1, "done", ()), (2, "done", (("conv2", 2),))]
    assert (number, runs[0].per_fold, runs[1].base) == (2, report.per_fold, 1)
    np.testing.assert_array_equal(api.muting(2).before.sources, report.sources)


def test_stopping_stops_both_runs(make_service, colours, tiny_bundle):
    images = dw.open_images(colours)
    report = dw.train_softmax_head(tiny_bundle, images, None, 5, 2, **OPTIONS)
    head = report.head
    head.report["folds"] = 5
    api = make_service(None, tiny_bundle.with_head(head), images).transfer
    api.solve_again({"conv2": [2]})
    assert api.status().running == 1
    api.stop()
    wait_until_status(api, lambda run: {each.phase for each in api.status().runs} == {"stopped"})
    assert api.status().running is None


@pytest.mark.parametrize(
    ("units", "error", "message"),
    [
        ({"conv1": [0]}, HeadError, "with_units"),
        ({"conv2": [99]}, LayerError, "no unit 99"),
        ("conv2 all", HeadError, "Name the units"),
        ("3", HeadError, "Name the layer of unit 3"),
        ({}, HeadError, "no units to leave out"),
        (7, HeadError, "Units are given as"),
    ],
)
def test_what_cannot_be_left_out_is_refused_and_starts_nothing(service, settings, units, error, message):
    service.transfer.start(settings(folds=1))
    with pytest.raises(error, match=message):
        service.transfer.solve_again(units)
    assert len(service.transfer.status().runs) == 1


def test_without_a_head_or_its_photographs_there_is_nothing_to_solve_again(service, make_service, tiny_bundle, colours, settings):
    with pytest.raises(HeadError, match="train one first"):
        service.transfer.solve_again("conv2 1")
    report = dw.train_softmax_head(tiny_bundle, colours, None, 5, 1, **OPTIONS)
    other = make_service(service._context.executor, tiny_bundle.with_head(report.head))
    with pytest.raises(HeadError, match="trained on colours, which is not at hand"):
        other.transfer.solve_again("conv2 1")
    with pytest.raises(HeadError, match="no run 5"):
        service.transfer.solve_again("conv2 1", 5)
    api = make_service(None).transfer
    api.start(settings(folds=100))
    with pytest.raises(HeadError, match="Run 1 has not ended"):
        api.solve_again("conv2 1", 1)
    with pytest.raises(HeadError, match="has no comparison"):
        api.muting(1)
    api.stop()
