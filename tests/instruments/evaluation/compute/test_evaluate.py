"""The scores of classifiers equal those of scikit-learn and of literal loops; outputs are stored, and computed once."""

import numpy as np
import pytest
import torch

import deconvwidgets as dw
from deconvwidgets.compute.job import FixedBatch, JobContext
from deconvwidgets.errors import EvaluationError, JobCancelledError
from deconvwidgets.models.bundle import ModelBundle

CLASSES = ("ant", "bee", "cow", "dog", "elk", "fox", "gnu")
QUIET = {"progress": False, "device": "cpu"}


@pytest.fixture
def bundle(small):
    return small(7, categories=CLASSES)


@pytest.fixture
def images(photographs):
    return photographs([number % 7 for number in range(60)], CLASSES)


def probabilities(bundle, images, sources):
    """Return the outputs and the probabilities of one photograph after the other, in float64."""
    batch = torch.stack([bundle.prepare(images.open_source(int(source))) for source in sources])
    with torch.no_grad():
        outputs = torch.cat([bundle.model(pixels[None]) for pixels in batch]).double()
    return outputs.numpy(), outputs.softmax(1).numpy()


def test_scores_of_scikit_learn(bundle, images):
    metrics = pytest.importorskip("sklearn.metrics")
    found = dw.evaluate(bundle, images, **QUIET)
    outputs, shares = probabilities(bundle, images, found.sources)
    truths, labels = found.truths, range(7)
    assert np.array_equal(found.sources, np.arange(60))
    assert np.array_equal(truths, np.arange(60) % 7)
    np.testing.assert_allclose(found.outputs, outputs, rtol=1e-5, atol=1e-5)
    predictions = shares.argmax(1)
    assert len(set(predictions)) > 2, "not a trivial case"
    assert np.array_equal(found.predictions, predictions)
    assert found.accuracy == pytest.approx(metrics.accuracy_score(truths, predictions))
    assert found.top5 == pytest.approx(metrics.top_k_accuracy_score(truths, shares, k=5, labels=labels))
    assert found.class_accuracy == pytest.approx(metrics.balanced_accuracy_score(truths, predictions))
    assert np.array_equal(found.confusion[:, :-1], metrics.confusion_matrix(truths, predictions, labels=labels))
    assert not found.confusion[:, -1].any()
    np.testing.assert_allclose(found.recall, metrics.recall_score(truths, predictions, average=None, labels=labels))
    precision = metrics.precision_score(truths, predictions, average=None, labels=labels, zero_division=np.nan)
    np.testing.assert_allclose(found.precision, precision)
    assert found.log_loss == pytest.approx(metrics.log_loss(truths, shares, labels=labels), rel=1e-4)
    one_hot = np.eye(7)[truths]
    assert found.brier == pytest.approx(((shares - one_hot) ** 2).sum(1).mean(), rel=1e-4)
    np.testing.assert_allclose(found.confidences, shares.max(1), rtol=1e-4)
    np.testing.assert_allclose(found.true_probabilities, shares[np.arange(60), truths], rtol=1e-3, atol=1e-7)
    assert found.complete
    assert found.notes == ()


def test_ranks_and_mistakes_of_literal_loops(bundle, images):
    found = dw.evaluate(bundle, images, **QUIET)
    _, shares = probabilities(bundle, images, found.sources)
    for row, truth in enumerate(found.truths):
        order = sorted(range(7), key=lambda number, row=row: (-shares[row, number], number))
        assert found.ranks[row] == order.index(truth)
    wrong = [row for row in range(60) if shares[row].argmax() != found.truths[row]]
    assert found.mistakes(5).tolist() == sorted(wrong, key=lambda row: (-found.confidences[row], row))[:5]
    total = 0.0
    for low, high in zip(found.reliability.edges, found.reliability.edges[1:], strict=False):
        rows = [row for row in range(60) if low < found.confidences[row] <= high]
        if rows:
            right = np.mean([shares[row].argmax() == found.truths[row] for row in rows])
            total += len(rows) / 60 * abs(right - np.mean([found.confidences[row] for row in rows]))
    assert found.reliability.error == pytest.approx(total, rel=1e-5)


def test_several_classes_of_the_model_may_be_right(bundle, photographs):
    images = photographs([number % 3 for number in range(40)], ["insect", "cattle", "fox"])
    mapping = {"insect": ["ant", "bee"], "cattle": ["cow", "gnu"]}
    found = dw.evaluate(bundle, images, mapping=mapping, **QUIET)
    _, shares = probabilities(bundle, images, found.sources)
    groups = [[0, 1], [2, 6], [5]]
    others = [3, 4]
    assert found.category_classes == ((0, 1), (2, 6), (5,))
    assert [match.how for match in found.matches] == ["table", "table", "exact"]
    for row, truth in enumerate(found.truths):
        best = int(shares[row].argmax())
        answer = next((number for number, group in enumerate(groups) if best in group), 3)
        assert found.predicted[row] == answer
        sums = [shares[row][group].sum() for group in groups]
        assert found.confidences[row] == pytest.approx(shares[row, best] if answer == 3 else sums[answer], rel=1e-4)
        assert found.true_probabilities[row] == pytest.approx(sums[truth], rel=1e-3, abs=1e-7)
        assert found.losses[row] == pytest.approx(-np.log(sums[truth]), rel=1e-3, abs=1e-6)
        assert (found.ranks[row] == 0) == (best in groups[truth])
    brier = [
        sum((share - (number == truth)) ** 2 for number, share in enumerate([shares[row][group].sum() for group in groups]))
        + sum(shares[row][other] ** 2 for other in others)
        for row, truth in enumerate(found.truths)
    ]
    assert found.brier == pytest.approx(np.mean(brier), rel=1e-4)
    assert found.confusion[:, 3].sum() == (found.predicted == 3).sum() > 0, "dog and elk are no class of the images"


def test_photographs_of_other_classes_without_labels_and_unreadable_ones_are_left_out(bundle, photographs):
    images = photographs([0, 1, 2, None, 3, 0, 1, 2, 3, 0], ["ant", "yak", "bee", "ox", "empty"], broken={5})
    found = dw.evaluate(bundle, images, **QUIET)
    assert found.sources.tolist() == [0, 2, 7, 9]
    assert found.truths.tolist() == [0, 1, 1, 0]
    assert found.categories == ("ant", "bee")
    assert (found.total, found.unlabelled, found.unmatched) == (10, 1, 4)
    assert [skipped.name for skipped in found.skipped] == ["5.png"]
    text = " ".join(found.notes)
    assert "1 photograph without a label is left out" in text
    assert "4 photographs of 2 classes that the model does not have are left out: 'yak', 'ox'" in text
    assert "1 class has no photograph and is not evaluated: 'empty'" in text
    assert not set(images.opened) & {1, 3, 4, 6, 8}, "what is left out is not read"


def test_classes_that_mean_the_same_count_as_one(bundle, photographs):
    images = photographs([0, 1, 2, 0], ["Ant", "ants", "bee"])
    found = dw.evaluate(bundle, images, **QUIET)
    assert found.categories == ("Ant, ants", "bee")
    assert found.truths.tolist() == [0, 0, 1, 0]
    assert "'Ant', 'ants' count as one class, because 'ant' is right for all of them" in " ".join(found.notes)
    with pytest.raises(EvaluationError, match=r"'ant' \(0\) is right for 'Ant' and for 'bee'"):
        dw.evaluate(bundle, images, mapping={"bee": ["bee", "ant"]}, **QUIET)


@pytest.mark.parametrize(
    ("targets", "categories", "options", "message"),
    [
        ([0, 1], ["yak", "elks x"], {}, "No class of the images is one of the 7 classes of small: 'yak', 'elks x' .closest: 'elk'"),
        ([0, 1], ["ant", "bee"], {"mapping": {"ant": "aunt"}}, "aunt"),
        ([None, None], None, {}, "noise has no labels"),
        ([0, 1], ["ant", "bee"], {"labels": ["ant"]}, "labels has 1 label, but noise has 2 readable photographs"),
        ([0, 7], None, {}, "from 0 to 6, but one label is 7"),
        ([0, 1.5], None, {}, "labelled 1.5"),
        ([0, (1, 2)], None, {}, "exclude each other"),
    ],
)
def test_labels_that_do_not_fit_are_refused(bundle, photographs, targets, categories, options, message):
    with pytest.raises(EvaluationError, match=message):
        dw.evaluate(bundle, photographs(targets, categories), **options, **QUIET)


def test_labels_without_names_are_numbers_of_the_models_classes(bundle, photographs):
    found = dw.evaluate(bundle, photographs([2, 5, 2.0, None]), **QUIET)
    assert found.categories == ("cow", "fox")
    assert found.truths.tolist() == [0, 1, 0]
    assert {match.how for match in found.matches} == {"number"}
    assert "numbers of the model's classes" in " ".join(found.notes)


def test_given_labels_replace_those_of_the_images(bundle, images):
    found = dw.evaluate(bundle, images, labels=["gnu", None, *[3] * 58], **QUIET)
    assert found.categories == ("dog", "gnu")
    assert found.sources.tolist() == [0, *range(2, 60)]


def test_outputs_are_computed_once(bundle, images, monkeypatch):
    calls = []
    model = bundle.model
    forward = type(model).forward
    monkeypatch.setattr(type(model), "forward", lambda self, batch: calls.append(len(batch)) or forward(self, batch))
    first = dw.evaluate(bundle, images, **QUIET)
    calls.clear()
    images.opened.clear()
    again = dw.evaluate(bundle, images, **QUIET)
    other = dw.evaluate(bundle, images, labels=[0] * 60, **QUIET)
    assert (calls, images.opened) == ([], []), "neither labels nor a second call need the model"
    np.testing.assert_array_equal(again.outputs, first.outputs)
    assert other.accuracy == pytest.approx((first.predictions == 0).mean())
    with torch.no_grad():
        model[3].weight[0] += 1
    changed = dw.evaluate(bundle, images, **QUIET)
    assert calls, "other weights have other outputs"
    assert not np.allclose(changed.outputs[:, 0], first.outputs[:, 0])


def test_heads_and_units_have_outputs_of_their_own(bundle, images, make_head):
    head, other = (make_head(bundle, "conv1", 7, seed=seed, categories=CLASSES) for seed in (0, 1))
    found = [
        dw.evaluate(one, images, **QUIET)
        for one in (bundle, bundle.with_head(head), bundle.with_head(other), bundle.with_head(head).with_units({("conv1", 0): 0.0}))
    ]
    assert len({dict(one.digests)["model"] for one in found}) == 4
    assert "1 unit off" in found[3].classifier
    for one, again in ((bundle.with_head(other), found[2]), (bundle.with_head(head).with_units({("conv1", 0): 0.0}), found[3])):
        fresh = dw.evaluate(one, images, store="memory", **QUIET)
        np.testing.assert_allclose(again.outputs, fresh.outputs, rtol=1e-5, atol=1e-6)


def test_a_stopped_evaluation_continues(bundle, images):
    seen = []
    job = JobContext(on_progress=lambda progress: seen.append(progress.done), cancelled=lambda: seen[-1:] >= [16], batch_size=FixedBatch(8))
    part = dw.evaluate(bundle, images, job=job, **QUIET)
    assert (part.complete, part.photographs) == (False, 16)
    assert len(set(part.truths)) > 4, "a sample of all classes, not the first ones"
    images.opened.clear()
    whole = dw.evaluate(bundle, images, **QUIET)
    assert whole.complete
    assert sorted([*part.sources, *images.opened]) == list(range(60))
    rows = np.searchsorted(whole.sources, part.sources)
    np.testing.assert_array_equal(whole.outputs[rows], part.outputs)
    with pytest.raises(JobCancelledError):
        dw.evaluate(bundle, images, store="memory", job=JobContext(cancelled=lambda: True), **QUIET)


def test_partial_results_grow(bundle, images, monkeypatch):
    monkeypatch.setattr("deconvwidgets.instruments.evaluation.compute.evaluate._PARTIAL_SECONDS", 0)
    partial = []
    found = dw.evaluate(bundle, images, store="memory", job=JobContext(batch_size=FixedBatch(10)), on_partial=partial.append, **QUIET)
    assert [one.photographs for one in partial] == [10, 20, 30, 40, 50, 60]
    assert [one.complete for one in partial] == [False] * 6
    rows = partial[1].sources
    assert partial[1].accuracy == pytest.approx(found.right[rows].mean())


def test_a_damaged_table_is_computed_again(bundle, images, tmp_path):
    first = dw.evaluate(bundle, images, **QUIET)
    (done,) = (tmp_path / "cache" / "evaluations").glob("*/checksums.u32")
    done.write_bytes(b"\x01" * 7)
    images.opened.clear()
    assert np.array_equal(dw.evaluate(bundle, images, **QUIET).outputs, first.outputs)
    assert len(images.opened) == 60


def test_of_a_flipped_bit_only_that_photograph_is_computed_again(bundle, images, tmp_path):
    first = dw.evaluate(bundle, images, **QUIET)
    (path,) = (tmp_path / "cache" / "evaluations").glob("*/outputs.f32")
    data = bytearray(path.read_bytes())
    data[(2 * 17 + 1) * len(data) // 120] ^= 1
    path.write_bytes(data)
    images.opened.clear()
    with pytest.warns(UserWarning, match="The outputs of photograph 17 in .* were damaged"):
        again = dw.evaluate(bundle, images, **QUIET)
    assert np.array_equal(again.outputs, first.outputs)
    assert images.opened == [17]
    assert np.array_equal(dw.evaluate(bundle, images, **QUIET).outputs, first.outputs)
    assert images.opened == [17]


def test_binary_models_and_models_that_return_probabilities(small, photographs):
    images = photographs([number % 2 for number in range(20)], ["no", "yes"])
    binary = dw.evaluate(small(1, scale=3, categories=["no", "yes"]), images, **QUIET)
    logits = binary.outputs[:, 0].astype(np.float64)
    assert np.array_equal(binary.predictions, (logits > 0).astype(int))
    true = np.where(binary.truths == 1, 1 / (1 + np.exp(-logits)), 1 / (1 + np.exp(logits)))
    np.testing.assert_allclose(binary.true_probabilities, true, rtol=1e-5)
    assert binary.top5 is None
    softmax = torch.nn.Sequential(small(2, scale=3).model, torch.nn.Softmax(1)).eval()
    bundle = ModelBundle.from_module(softmax, transform=small(2).transform, categories=["no", "yes"])
    found = dw.evaluate(bundle, images, **QUIET)
    assert bundle.task == "probabilities"
    np.testing.assert_allclose(found.true_probabilities, found.outputs[np.arange(20), found.truths], rtol=1e-6)


def test_a_model_that_predicts_nothing_is_refused(small, images):
    with pytest.raises(EvaluationError, match="predicts no classes or values"):
        dw.evaluate(small(4), images, **QUIET)
