"""Training heads by the published protocol: training and test images, results, cancellation and reproducibility."""

import os
import sys
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import deconvwidgets as dw
from deconvwidgets.compute.job import JobContext
from deconvwidgets.errors import HeadError, JobCancelledError, PictureError
from deconvwidgets.images.image_set import ImageSet, digest_of
from deconvwidgets.images.splits import draw_fold
from deconvwidgets.instruments.transfer.compute.experiment import TransferExperiment
from deconvwidgets.instruments.transfer.compute.folds import WEIGHT_DECAYS, FoldImages, SoftmaxTrainer
from deconvwidgets.instruments.transfer.compute.scores import class_accuracy, confusion_matrix
from deconvwidgets.instruments.transfer.compute.train import learning_curve, train_softmax_head, train_svm_head

COLOURS = {"brick": (180, 70, 50), "grass": (90, 160, 60), "sea": (40, 90, 170)}


class ColouredPhotographs(ImageSet):
    """Noisy photographs of three classes, one colour each; the last `unlabelled` have no class, those in `broken` cannot be read."""

    def __init__(self, count=60, noise=40, unlabelled=0, broken=(), seed=0):
        self.seed, self.noise, self.unlabelled, self.broken, self.count = seed, noise, unlabelled, set(broken), count
        super().__init__("colours", digest_of(map(str, (count, noise, unlabelled, seed, *broken))), list(COLOURS))

    @property
    def source_count(self):
        return self.count

    def source_name(self, source):
        return f"colour-{source}.jpg"

    def label(self, source):
        return None if source >= self.count - self.unlabelled else source % 3

    def open_source(self, source):
        if source in self.broken:
            raise PictureError(f"colour-{source}.jpg is truncated.")
        generator = np.random.default_rng([self.seed, source])
        mean = np.array(list(COLOURS.values())[source % 3])
        values = mean + generator.normal(0, self.noise, (24, 28, 1)) + generator.normal(0, self.noise, 3)
        return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def train(bundle, images, layer=None, images_per_class=6, folds=2, seed=0, **options):
    options = {"store": "memory", "device": "cpu", "progress": False, **options}
    return train_softmax_head(bundle, images, layer, images_per_class, folds, seed, **options)


def test_the_report_lists_the_tests(tiny_bundle):
    images = ColouredPhotographs(70, unlabelled=4, broken=(8, 9))
    report = train(tiny_bundle, images, folds=3)
    assert report.categories == ("brick", "grass", "sea")
    assert (report.dataset, report.model, report.layer) == ("colours", "tiny", "3")
    assert report.features == "5 x 4 x 4 = 80 of conv2, one crop"
    assert [skipped.name for skipped in report.skipped] == ["colour-8.jpg", "colour-9.jpg"]
    assert report.complete
    labels = np.array([-1 if images.label(s) is None or s in (8, 9) else images.label(s) for s in range(70)])
    for fold in range(3):
        in_fold = report.folds == fold
        np.testing.assert_array_equal(np.sort(report.sources[in_fold]), draw_fold(labels, 6, 0, fold).test)
        shares = [np.mean(report.predictions[in_fold & (report.truths == label)] == label) for label in range(3)]
        assert report.per_fold[fold] == pytest.approx(np.mean(shares))
    np.testing.assert_array_equal(report.truths, labels[report.sources])
    assert report.confusion.sum() == len(report.sources)
    assert report.confusion[0, 1] == np.sum((report.truths == 0) & (report.predictions == 1))
    assert (report.confidences >= 1 / 3).all()
    assert report.mean > 0.7
    assert set(report.weight_decays) <= set(WEIGHT_DECAYS)


def test_accuracy_is_averaged_over_classes():
    truths, predictions = np.array([0, 0, 0, 0, 2]), np.array([0, 0, 0, 0, 0])
    assert class_accuracy(truths, predictions) == 0.5  # 4 of 5 correct; class 1 does not occur
    np.testing.assert_array_equal(confusion_matrix(truths, predictions, 3), [[4, 0, 0], [0, 0, 0], [1, 0, 0]])


@pytest.mark.slow
def test_heads_are_trained_on_training_images_only(tiny_bundle, monkeypatch):
    trained_on, chosen_on = [], []
    run_fold, choose = TransferExperiment._run_fold, SoftmaxTrainer._choose
    images = ColouredPhotographs()
    labels = np.arange(60) % 3

    def record(self, trainer, results, fold):
        monkeypatch.setattr(type(self.data), "rows", lambda data, sources: (trained_on.append(sources), torch.zeros(len(sources), 8))[1])
        run_fold(self, trainer, results, fold)

    monkeypatch.setattr(TransferExperiment, "_run_fold", record)
    monkeypatch.setattr(SoftmaxTrainer, "_choose", lambda self, images, *rest: (chosen_on.append(images), choose(self, images, *rest))[1])
    monkeypatch.setattr(
        "deconvwidgets.instruments.transfer.compute.protocol.TransferData.logits", lambda self, sources, *rest: torch.zeros(len(sources), 3)
    )
    train(tiny_bundle, images)
    for fold in range(2):
        np.testing.assert_array_equal(trained_on[fold], draw_fold(labels, 6, 0, fold).train)
        assert len(chosen_on[fold].labels) == 18


def test_the_model_with_the_head_predicts_as_in_the_report(tiny_bundle):
    images = ColouredPhotographs()
    report = train(tiny_bundle, images, "conv1", folds=1)
    bundle = tiny_bundle.with_head(report.head)
    assert bundle.categories == report.categories
    batch = torch.stack([bundle.prepare(images.open_source(int(source))) for source in report.sources])
    with torch.no_grad():
        probabilities = torch.softmax(bundle.model(batch), 1)
    np.testing.assert_array_equal(probabilities.argmax(1), report.predictions)
    np.testing.assert_allclose(probabilities.max(1).values, report.confidences, atol=5e-3)  # the features are stored as float16
    assert report.head.report["accuracy"] == report.mean


def test_a_head_on_a_pooled_layer_fits_the_model(tiny_bundle, monkeypatch):
    monkeypatch.setattr("deconvwidgets.instruments.transfer.compute.features.FeatureShape.of.__func__.__defaults__", (30,))
    images = ColouredPhotographs()
    report = train(tiny_bundle, images, "conv2", folds=1)
    assert report.head.pool == (2, 2)
    assert report.features == "5 x 2 x 2 = 20 of conv2, average-pooled from 4 x 4, one crop"
    bundle = tiny_bundle.with_head(report.head)
    batch = torch.stack([bundle.prepare(images.open_source(int(source))) for source in report.sources])
    with torch.no_grad():
        np.testing.assert_array_equal(bundle.model(batch).argmax(1), report.predictions)


@pytest.mark.parametrize("views", ["one", "flips", "ten"])
def test_a_run_is_reproducible(views, tiny_bundle):
    first, second = (train(tiny_bundle, ColouredPhotographs(), views=views) for _ in range(2))
    assert first.per_fold == second.per_fold
    assert first.weight_decays == second.weight_decays
    for name in ("sources", "predictions", "confidences"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    np.testing.assert_array_equal(first.head.weight, second.head.weight)
    np.testing.assert_array_equal(first.head.bias, second.head.bias)
    other = train(tiny_bundle, ColouredPhotographs(), views=views, seed=1)
    assert not np.array_equal(first.head.weight, other.head.weight)


def test_held_out_images_are_not_trained_on():
    """For random labels the validation accuracy is close to chance, while the training accuracy is not."""
    features = torch.randn(60, 200, generator=torch.Generator().manual_seed(0))
    steps = []
    images = FoldImages(0, 0, features, np.tile(np.arange(3), 20), 3)
    SoftmaxTrainer(on_step=steps.append).train(images, nullcontext)
    validation = [step.validation_accuracy for step in steps if step.validation_accuracy is not None and step.step > 5]
    assert max(validation) < 0.8
    assert steps[-1].validation_accuracy is None
    assert steps[-1].train_accuracy > 0.9


class OrientedPhotographs(ColouredPhotographs):
    """Three classes that differ in the position of the bright third; the outer two are mirror images of each other."""

    def open_source(self, source):
        values = np.random.default_rng([self.seed, source]).normal(90, 30, (24, 28, 3))
        values[:, 9 * (source % 3) : 9 * (source % 3) + 9] += 70
        return Image.fromarray(values.clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("views", ["flips", "ten"])
def test_mirror_images_do_not_remove_the_information_about_orientation(views, tiny_bundle):
    images = OrientedPhotographs()
    report = train(tiny_bundle, images, views=views)
    assert report.mean > 0.95
    assert report.head.weight.shape == (3, 80)  # for one crop, the input of a model
    bundle = tiny_bundle.with_head(report.head)
    first = report.sources[report.folds == 0]
    batch = torch.stack([bundle.prepare(images.open_source(int(source))) for source in first])
    with torch.no_grad():
        predictions = bundle.model(batch).argmax(1).numpy()
    if views == "flips":
        assert class_accuracy(report.truths[report.folds == 0], predictions) == report.head.report["own_accuracy"]
    assert np.mean(predictions == report.truths[report.folds == 0]) > 0.9


def test_one_image_per_class_leaves_no_choice(tiny_bundle):
    report = train(tiny_bundle, ColouredPhotographs(), images_per_class=1)
    assert report.weight_decays == (1e-4,) * 2
    assert report.temperatures == (1, 1)


def test_steps_and_folds_are_reported(tiny_bundle):
    steps, reports, progress = [], [], []
    hooks = {"on_step": steps.append, "on_fold": reports.append, "job": JobContext(on_progress=progress.append)}
    report = train(tiny_bundle, ColouredPhotographs(), weight_decay=(1e-2, 1e-1), **hooks)
    assert {step.fold for step in steps} == {0, 1}
    assert {step.weight_decay for step in steps if step.validation_accuracy is not None} == {1e-1, 1e-2}
    assert {step.weight_decay for step in steps if step.validation_accuracy is None and step.fold == 1} == {report.weight_decays[1]}
    assert [step.step for step in steps][:3] == [0, 1, 2]
    assert [(partial.complete, len(partial.per_fold)) for partial in reports] == [(False, 1), (True, 2)]
    assert reports[1].per_fold == report.per_fold
    assert {item.job for item in progress} == {"features", "head"}
    assert progress[-1].finished


def test_cancelling_keeps_the_complete_folds(tiny_bundle):
    reports = []
    hooks = {"on_fold": reports.append, "job": JobContext(cancelled=lambda: len(reports) == 2)}
    report = train(tiny_bundle, ColouredPhotographs(), folds=5, **hooks)
    assert not report.complete
    assert report.per_fold == train(tiny_bundle, ColouredPhotographs()).per_fold
    assert set(report.folds) == {0, 1}


def test_cancelling_during_the_first_fold_raises_an_error_and_keeps_the_features(tiny_bundle, tmp_path):
    images, steps = ColouredPhotographs(), []
    hooks = {"on_step": steps.append, "job": JobContext(cancelled=lambda: len(steps) > 4)}
    with pytest.raises(JobCancelledError, match="features stay"):
        train(tiny_bundle, images, store="disk", path=tmp_path, **hooks)
    assert len(steps) == 5
    images.open_source = lambda source: pytest.fail("the features are on disk")
    assert train(tiny_bundle, images, store="disk", path=tmp_path).complete


def test_every_use_of_the_device_has_a_lease(tiny_bundle):
    inside, leases = [], []

    class Lease:
        def __enter__(self):
            assert not inside, "leases are not re-entrant"
            inside.append(1)
            leases.append(1)

        def __exit__(self, *failure):
            inside.pop()

    report = train(tiny_bundle, ColouredPhotographs(), job=JobContext(device_lease=Lease))
    assert report.per_fold == train(tiny_bundle, ColouredPhotographs()).per_fold
    assert len(leases) > 50


@pytest.mark.parametrize("decay", [0, -1.0, [], (1e-3, float("nan")), float("inf")])
def test_invalid_weight_decays_raise_an_error(decay, tiny_bundle):
    with pytest.raises(HeadError, match="positive"):
        train(tiny_bundle, ColouredPhotographs(), weight_decay=decay)


def test_too_few_photographs_or_folds_raise_an_error(tiny_bundle):
    with pytest.raises(HeadError):
        train(tiny_bundle, ColouredPhotographs(12))
    with pytest.raises(HeadError, match=r"at least|leave nothing"):  # enough photographs, too few of them readable
        train(tiny_bundle, ColouredPhotographs(21, broken=(0, 3)))
    with pytest.raises(HeadError, match="folds must be an integer from 1"):
        train(tiny_bundle, ColouredPhotographs(), folds=0)


def test_a_learning_curve_rises_and_can_be_cancelled(tiny_bundle):
    options = {"store": "memory", "device": "cpu", "progress": False, "folds": 3}
    images, curves = ColouredPhotographs(120, noise=100), []
    curve = learning_curve(tiny_bundle, images, images_per_class=(20, 1), on_point=curves.append, **options)
    assert curve.images_per_class == (1, 20)
    assert curve.means[0] < curve.means[1]
    assert curve.complete
    assert [partial.images_per_class for partial in curves] == [(1,), (1, 20)]
    known, trained = train(tiny_bundle, images, images_per_class=20, folds=3), []
    assert curve.means[1] == known.mean
    hooks = {"on_fold": lambda report: trained.append(report.images_per_class)}
    assert learning_curve(tiny_bundle, images, images_per_class=(20, 1), known=known, **hooks, **options) == curve
    assert trained == [1, 1, 1]
    curves.clear()
    hooks = {"job": JobContext(cancelled=lambda: len(curves) == 1)}
    stopped = learning_curve(tiny_bundle, images, images_per_class=(1, 20), on_point=curves.append, **hooks, **options)
    assert (stopped.images_per_class, stopped.complete) == ((1,), False)
    with pytest.raises(HeadError, match="at least one"):
        learning_curve(tiny_bundle, images, images_per_class=(), **options)


def test_the_svm_follows_the_same_protocol(tiny_bundle, monkeypatch):
    pytest.importorskip("sklearn")
    options = {"images_per_class": 6, "folds": 2, "store": "memory", "device": "cpu", "progress": False}
    report = train_svm_head(tiny_bundle, ColouredPhotographs(), **options)
    assert report.classifier == "linear SVM"
    assert report.mean > 0.7
    assert np.isnan(report.confidences).all()
    monkeypatch.setitem(sys.modules, "sklearn.svm", None)
    with pytest.raises(HeadError, match=r"deconvwidgets\[transfer\]"):
        train_svm_head(tiny_bundle, ColouredPhotographs(), **options)


def test_a_model_that_cannot_be_traced_can_be_retrained(tiny_bundle):
    class Untraceable(torch.nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, batch):
            return self.net(batch) if batch.sum() > -1e9 else batch

    bundle = replace(tiny_bundle, model=Untraceable(tiny_bundle.model).eval(), categories=None, classifier=None)
    report = train(bundle, ColouredPhotographs(), "net.3")
    assert report.mean > 0.7


@pytest.mark.slow
@pytest.mark.skipif("DECONVWIDGETS_DATA" not in os.environ, reason="DECONVWIDGETS_DATA names no folder with Caltech-101")
def test_eight_classes_of_caltech101_on_alexnet():
    caltech = dw.open_images("caltech101")
    sources = [source for source in range(caltech.source_count) if caltech.label(source) < 8]
    by_class = {label: [s for s in sources if caltech.label(s) == label][:24] for label in range(8)}

    class EightClasses(type(caltech.subset([0]))):
        def __init__(self):
            super().__init__(caltech, [source for members in by_class.values() for source in members])
            self.categories = caltech.categories[:8]

    report = dw.train_softmax_head(dw.load_model("alexnet"), EightClasses(), images_per_class=12, folds=2, store="memory", progress=False)
    assert report.features == "256 x 6 x 6 = 9,216 of pool5, one crop"
    assert report.mean > 0.8  # by chance 0.125
    assert report.calibration.confidence == pytest.approx(report.calibration.accuracy, abs=0.1)
