"""Heads of runs are used, undone, saved and loaded."""

import pytest

import deconvwidgets as dw
from deconvwidgets.errors import HeadError


@pytest.fixture
def api(service, settings):
    service.transfer.start(settings())
    service.transfer.start(settings(layer="conv1"))
    return service.transfer


def test_use_and_undo(service, api):
    original = service.overview().classifier
    events = []
    service.subscribe(events.append)
    first = api.use_head(1)
    now = service.overview().classifier
    assert now.startswith("colours' 3 classes (head on conv2")
    assert first == f"tiny now predicts {now}; before: {original}."
    assert [event.kind for event in events] == ["changed"]
    assert {entry.prediction for entry in service.layers.unit_detail("conv1", 0).entries} <= {"brick", "grass", "sea"}
    assert (api.status().used, api.status().can_undo, api.status().classifier) == (1, True, now)
    api.use_head(2)
    second = service.overview().classifier
    assert (api.status().used, "head on conv1" in second) == (2, True)
    assert api.undo_head() == f"tiny now predicts {now}; before: {second}."
    assert api.status().used == 1
    assert api.undo_head() == f"tiny now predicts {original}; before: {now}."
    assert (api.status().used, api.status().can_undo, service.overview().classifier) == (None, False, original)
    assert {entry.prediction for entry in service.layers.unit_detail("conv1", 0).entries} <= {"ant", "bee", "cow"}
    with pytest.raises(HeadError, match="nothing to undo"):
        api.undo_head()


def test_used_is_none_when_another_head_was_set(service, api, tiny_bundle, make_head):
    api.use_head(1)
    service.set_head(make_head(tiny_bundle, "conv1"))
    assert api.status().used is None
    api.use_head(2)
    api.undo_head()
    assert api.status().used is None
    assert service.overview().classifier.startswith("Caltech-101's 4 classes")
    service.set_head(None)
    assert api.use_head(1).endswith("; before: no classes.")
    assert api.undo_head().startswith("tiny now predicts no classes; before: colours' 3 classes")


def test_save_and_load(service, api, tmp_path, monkeypatch, tiny_model):
    monkeypatch.chdir(tmp_path)
    assert api.save_head(1, " mine ") == f"Saved as {tmp_path / 'mine.safetensors'}."
    assert api.save_head(2, "mine.safetensors").endswith("replacing the head in that file.")
    assert dw.load_head("mine.safetensors").alias == "conv1"
    assert api.load_head("mine.safetensors").startswith("tiny now predicts colours' 3 classes (head on conv1")
    assert (api.status().used, api.status().can_undo) == (None, True)
    api.undo_head()
    assert service.overview().classifier == "your model's own classes (softmax of its logits)"
    dw.save_head(dw.load_head("mine.safetensors"), "other")
    for path, message in (("absent.safetensors", "no head file"), ("nonsense", "no bundled head 'nonsense'")):
        with pytest.raises(HeadError, match=message):
            api.load_head(path)
    assert not api.status().can_undo


@pytest.mark.parametrize("path", ["thesis.txt", "thesis.safetensors"])
def test_files_that_are_not_heads_are_not_overwritten(api, tmp_path, path):
    (tmp_path / path).write_text("years of work")
    with pytest.raises(HeadError, match=rf"{tmp_path / path} exists and is not a head"):
        api.save_head(1, str(tmp_path / path))
    assert (tmp_path / path).read_text() == "years of work"


def test_invalid_paths_and_runs_raise_errors(api, tmp_path):
    for path, message in (("", "Give a path"), (" ", "Give a path"), (str(tmp_path), "is a folder"), ("/no/such/folder/x", "cannot be")):
        with pytest.raises(HeadError, match=message):
            api.save_head(1, path)
    for number in (3, 0):
        with pytest.raises(HeadError, match=f"no run {number}; the last one is 2"):
            api.use_head(number)


def test_training_ignores_the_head_in_use(service, api, settings):
    api.use_head(1)
    api.start(settings(layer="conv1"))
    assert api.status().layers == service.transfer.status().layers
    assert not any("softmax_head" in name for name, _ in api.status().layers)
    api.use_head(3)
    assert service.overview().model == "tiny"
    assert api.results(3).summary.per_fold == api.results(2).summary.per_fold
