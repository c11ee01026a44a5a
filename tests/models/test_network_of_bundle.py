"""A bundle's network is traced once, on first use."""

import pickle
import threading
from dataclasses import replace

import pytest

import deconvwidgets as dw
from deconvwidgets.engine import structure
from deconvwidgets.errors import ModelError


@pytest.fixture
def traces(monkeypatch):
    """The models that were traced."""
    models, trace = [], structure.trace_model

    def record(model, *arguments, **options):
        models.append(model)
        return trace(model, *arguments, **options)

    monkeypatch.setattr(structure, "trace_model", record)
    return models


def test_threads_and_copies_share_one_trace(tiny_model, traces):
    bundle = tiny_model()
    assert traces == []
    networks = []
    threads = [threading.Thread(target=lambda: networks.append(bundle.network)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    networks.append(replace(bundle, notes=("a note",)).network)
    assert len(set(networks)) == 1
    assert traces == [bundle.model]


def test_another_classifier_has_its_own_network(tiny_model, make_head, traces):
    bundle = tiny_model()
    headed = bundle.with_head(make_head(bundle, "conv1"))
    assert (headed.network.model, bundle.network.model) == (headed.model, bundle.model)
    count = len(traces)
    assert headed.network == headed.network
    assert headed.network != bundle.network
    assert len(traces) == count


def test_a_bundle_in_another_process_traces_its_own_model(tiny_bundle):
    assert tiny_bundle.network
    copy = pickle.loads(pickle.dumps(tiny_bundle))
    assert copy.network.model is copy.model


def test_the_network_argument_still_works_and_is_deprecated(tiny_model, tiny_images, traces):
    bundle = tiny_model()
    network = bundle.network
    fresh = replace(bundle, notes=("a note",))
    pixels = bundle.prepare(tiny_images.open_crop(0))
    calls = {
        "project": lambda: dw.project(fresh, tiny_images.open_crop(0), "conv2", unit=1, network=network),
        "occlude": lambda: dw.occlude(fresh, pixels, 8, 8, network=network),
        "faithfulness": lambda: dw.projection_faithfulness(fresh, tiny_images, "conv2", window=5, network=network),
        "correspondence": lambda: dw.correspondence(fresh, tiny_images, {"part": [(0, 0, 4, 4)] * 14}, network=network),
    }
    for call in calls.values():
        with pytest.warns(DeprecationWarning, match=r"bundle\.network") as warned:
            call()
        assert warned[0].filename == __file__
    assert traces == [bundle.model]
    with pytest.raises(ModelError, match="not that of tiny"), pytest.warns(DeprecationWarning, match="network="):
        dw.occlude(tiny_model(1), pixels, 8, 8, network=network)
