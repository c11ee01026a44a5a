import numpy as np
import pytest

import deconvwidgets as dw
from deconvwidgets.errors import ContributionError, LayerError, PictureError, ServiceError
from deconvwidgets.instruments.contributions.records import ContributionsRequest, Pending
from deconvwidgets.service.worker import Job, SynchronousExecutor

REQUEST = ContributionsRequest("crop:4", "conv2")


class HeldExecutor:
    """Runs nothing until it is told to."""

    def __init__(self):
        self.jobs = []

    def submit(self, name, work, on_failure):
        job = Job(name, work, on_failure)
        self.jobs.append(job)
        return job

    def cancel(self):
        for job in self.jobs:
            job.cancel()

    close = cancel


@pytest.fixture
def service(tiny_bundle, noise, tmp_path, monkeypatch):
    monkeypatch.setenv("DECONVWIDGETS_CACHE", str(tmp_path))
    bundle = dw.ModelBundle.from_module(
        tiny_bundle.model, transform=tiny_bundle.transform, input_size=(3, 16, 16), categories=["cat", "dog", "kite"], name="tiny"
    )
    service = dw.LocalModelService(bundle, noise(8), device="cpu", worker=SynchronousExecutor())
    yield service
    service.close()


def bundle_of(service):
    return service._context.snapshot.bundle


def test_contributions_equal_those_in_python(service, noise):
    images, answer = noise(8), service.contributions.contributions(ContributionsRequest("crop:4", "conv2", against=1, top=2))
    image = images.open_crop(4)
    predicted = int(dw.unit_contributions(bundle_of(service), image, "conv2").target)
    expected = dw.unit_contributions(bundle_of(service), image, "conv2", predicted, 1)
    np.testing.assert_allclose(answer.values, expected.contributions[0], atol=1e-7)
    assert answer.method == "weight"
    assert answer.request.target == answer.predicted == predicted
    assert [row.unit for row in answer.top] == [unit for unit in expected.ranking.tolist()[:2] if expected.mean[unit] > 0]
    assert all(row.value == pytest.approx(row.for_target - row.for_against) for row in (*answer.top, *answer.bottom))
    assert sum(answer.ledger.values) + answer.ledger.others + answer.ledger.rest == pytest.approx(answer.ledger.output)
    assert answer.label == images.label(1)  # crop 4 is of photograph 1
    assert service.contributions.label_of("crop:0") is None


def test_slow_answers_come_from_the_worker(tiny_bundle, noise, tmp_path, monkeypatch):
    monkeypatch.setenv("DECONVWIDGETS_CACHE", str(tmp_path))
    executor = HeldExecutor()
    service = dw.LocalModelService(tiny_bundle, noise(6), device="cpu", worker=executor)
    events = []
    unsubscribe = service.subscribe(lambda event: events.append(event.kind), {"contributions"})
    executor.jobs[0].run()
    before = len(executor.jobs)
    request = ContributionsRequest("crop:0", "conv1", method="switch-off")
    assert service.contributions.contributions(request) == Pending()
    assert service.contributions.contributions(request) == Pending()
    assert len(executor.jobs) == before + 1  # one computation for equal requests
    executor.jobs[-1].run()
    found = service.contributions.contributions(request)
    assert not isinstance(found, Pending)
    assert "contributions" in events
    service.contributions.deletion(request)
    service.contributions.cancel()
    executor.jobs[-1].run()
    with pytest.raises(Exception, match="cancelled"):
        service.contributions.deletion(request)
    unsubscribe()
    service.close()


def test_changed_units_make_new_answers(service):
    before = service.contributions.contributions(REQUEST)
    changed = bundle_of(service).with_units({("conv2", before.top[0].unit): 0.0})
    service._context.replace(bundle=changed)
    after = service.contributions.contributions(ContributionsRequest("crop:4", "conv2", target=before.request.target))
    assert after.values[before.top[0].unit] == 0
    plain = service.contributions.contributions(ContributionsRequest("crop:4", "conv2", target=before.request.target, unchanged=True))
    np.testing.assert_allclose(plain.values, before.values, atol=1e-7)


def test_what_a_unit_contributes_to_is_the_same_while_it_is_off(service):
    before, classes = service.contributions.class_contributions("conv2", 1), service.contributions.unit_classes("conv2", 3)
    analyses = service.contributions._analyses
    means = analyses.known_means(analyses.with_own_units_on(service._context.snapshot, "conv2"))
    service.set_units({("conv2", 3): 0.0})
    np.testing.assert_array_equal(service.contributions.class_contributions("conv2", 1).values, before.values)
    np.testing.assert_array_equal(service.contributions.unit_classes("conv2", 3).values, classes.values)
    assert analyses.known_means(analyses.with_own_units_on(service._context.snapshot, "conv2")) is means is not None
    service.set_units({("conv1", 0): 0.0})
    assert not np.array_equal(service.contributions.class_contributions("conv2", 1).values, before.values)


def test_classes_of_units_agree_with_contributions_to_classes(service):
    units = [service.contributions.unit_classes("conv2", unit) for unit in range(5)]
    assert units[0].method == "weight"
    assert sum(units[0].values) == pytest.approx(0, abs=1e-9)
    means = np.array([found.values for found in units])
    totals = np.zeros_like(means)
    images, bundle = service._context.snapshot.images, bundle_of(service)
    for label in range(3):
        found = dw.unit_contributions(bundle, images, "conv2", label)
        totals[:, label] = found.mean
    np.testing.assert_allclose(means, totals - totals.mean(axis=1, keepdims=True), atol=1e-6)
    by_class = service.contributions.class_contributions("conv2", 1)
    assert by_class.over == "labelled"
    labelled = images.subset([source for source in range(8) if images.label(source) == 1])
    values = [dw.unit_contributions(bundle, labelled, "conv2", label).mean for label in range(3)]
    np.testing.assert_allclose(by_class.values, values[1] - np.mean(values, axis=0), atol=1e-6)


def test_feeders_trees_and_files(service):
    feeders = service.contributions.feeders("conv2", 0)
    assert feeders.below == "conv1"
    assert len(feeders.images) == len(feeders.terms)
    tree = service.contributions.class_tree(REQUEST, depth=2, breadth=2)
    assert tree.layers == ("conv2", "conv1")
    assert {edge.to for edge in tree.edges if tree.nodes[edge.source].depth == 0} == {-1}
    assert service.contributions.tree("conv2", [0, 3]).root == ""
    assert service.contributions.file("tree.png", REQUEST).startswith(b"\x89PNG")
    assert service.contributions.file("contributions.csv", REQUEST).startswith(b"unit,contribution")


def test_bad_requests_are_refused_in_words(service):
    api = service.contributions
    for ask, error, message in [
        (lambda: api.contributions(ContributionsRequest("crop:99", "conv2")), PictureError, "there is no 'crop:99'"),
        (lambda: api.contributions(ContributionsRequest("crop:1", "conv2", target=7)), ContributionError, "no class 7"),
        (lambda: api.contributions(ContributionsRequest("crop:1", "conv7")), LayerError, "no layer 'conv7'"),
        (lambda: api.unit_classes("conv2", 5), LayerError, "no unit 5"),
        (lambda: api.class_contributions("conv2", 3), ContributionError, "no class 3"),
        (lambda: api.feeders("conv1", 0), LayerError, "reads the image itself"),
        (lambda: api.tree("conv2", []), ContributionError, "a list of one or more units"),
        (lambda: api.file("tree.gif", REQUEST), ServiceError, "There is no file 'tree.gif'"),
    ]:
        with pytest.raises(error, match=message):
            ask()
