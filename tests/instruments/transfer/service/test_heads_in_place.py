"""A run's head, used, undone, saved and loaded; and what the words say of it."""

import pytest

import deconvwidgets as dw
from deconvwidgets.errors import HeadError


@pytest.fixture
def desk(service, settings):
    service.transfer.start(settings())
    service.transfer.start(settings(layer="conv1"))
    return service.transfer


def test_use_and_undo_as_a_stack(service, desk):
    own = service.overview().classifier
    told = []
    service.subscribe(told.append)
    first = desk.use_head(1)
    now = service.overview().classifier
    assert now.startswith("colours' 3 classes (head on conv2")
    assert first == f"tiny now predicts {now}; before: {own}."
    assert [event.kind for event in told] == ["changed"]
    assert {entry.prediction for entry in service.layers.unit_detail("conv1", 0).entries} <= {"brick", "grass", "sea"}
    assert (desk.status().used, desk.status().can_undo, desk.status().classifier) == (1, True, now)
    desk.use_head(2)
    second = service.overview().classifier
    assert (desk.status().used, "head on conv1" in second) == (2, True)
    assert desk.undo_head() == f"tiny now predicts {now}; before: {second}."
    assert desk.status().used == 1
    assert desk.undo_head() == f"tiny now predicts {own}; before: {now}."
    assert (desk.status().used, desk.status().can_undo, service.overview().classifier) == (None, False, own)
    assert {entry.prediction for entry in service.layers.unit_detail("conv1", 0).entries} <= {"ant", "bee", "cow"}
    with pytest.raises(HeadError, match="nothing to undo"):
        desk.undo_head()


def test_used_is_none_when_another_head_was_set(service, desk, tiny_bundle, make_head):
    desk.use_head(1)
    service.set_head(make_head(tiny_bundle, "conv1"))
    assert desk.status().used is None
    desk.use_head(2)
    desk.undo_head()
    assert desk.status().used is None
    assert service.overview().classifier.startswith("Caltech-101's 4 classes")
    service.set_head(None)
    assert desk.use_head(1).endswith("; before: no classes.")
    assert desk.undo_head().startswith("tiny now predicts no classes; before: colours' 3 classes")


def test_save_and_load(service, desk, tmp_path, monkeypatch, tiny_model):
    monkeypatch.chdir(tmp_path)
    assert desk.save_head(1, " mine ") == f"Saved as {tmp_path / 'mine.safetensors'}."
    assert desk.save_head(2, "mine.safetensors").endswith("replacing the head in that file.")
    assert dw.load_head("mine.safetensors").alias == "conv1"
    assert desk.load_head("mine.safetensors").startswith("tiny now predicts colours' 3 classes (head on conv1")
    assert (desk.status().used, desk.status().can_undo) == (None, True)
    desk.undo_head()
    assert service.overview().classifier == "your model's own classes"
    dw.save_head(dw.load_head("mine.safetensors"), "other")
    for path, words in (("absent.safetensors", "no head file"), ("nonsense", "no bundled head 'nonsense'")):
        with pytest.raises(HeadError, match=words):
            desk.load_head(path)
    assert not desk.status().can_undo


@pytest.mark.parametrize("path", ["thesis.txt", "thesis.safetensors"])
def test_a_file_that_is_no_head_is_never_overwritten(desk, tmp_path, path):
    (tmp_path / path).write_text("years of work")
    with pytest.raises(HeadError, match=rf"{tmp_path / path} exists and is not a head"):
        desk.save_head(1, str(tmp_path / path))
    assert (tmp_path / path).read_text() == "years of work"


def test_places_that_cannot_be_saved_to(desk, tmp_path):
    for path, words in (("", "Give a path"), (" ", "Give a path"), (str(tmp_path), "is a folder"), ("/no/such/folder/x", "cannot be")):
        with pytest.raises(HeadError, match=words):
            desk.save_head(1, path)
    for number in (3, 0):
        with pytest.raises(HeadError, match=f"no run {number}; the last one is 2"):
            desk.use_head(number)


def test_training_on_a_model_with_a_head_makes_a_head_for_the_model(service, desk, settings):
    desk.use_head(1)
    desk.start(settings(layer="conv1"))
    assert desk.status().layers == service.transfer.status().layers
    assert not any("softmax_head" in name for name, _ in desk.status().layers)
    desk.use_head(3)
    assert service.overview().model == "tiny"
    assert desk.results(3).summary.per_fold == desk.results(2).summary.per_fold
