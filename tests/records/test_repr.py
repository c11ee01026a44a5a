"""Results are represented in one line, without the numbers in their arrays."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from torch import nn

import deconvwidgets as dw
from deconvwidgets.instruments.layers.records import Projection
from deconvwidgets.instruments.occlusion.fill_names import named_fill
from deconvwidgets.instruments.occlusion.part_records import Correspondence, Faithfulness
from deconvwidgets.instruments.occlusion.records import OcclusionMaps, Unoccluded
from deconvwidgets.instruments.transfer.records import HeadReport, TransferResults, TransferRunSummary
from deconvwidgets.records.activations import LayerStats
from deconvwidgets.records.heads import Head
from deconvwidgets.records.images import EncodedImage
from deconvwidgets.records.repr import compact_repr, describe_accuracy

MAX_LENGTH = 300


def grid(value, dtype=np.float32):
    return np.full((23, 24), value, dtype)


@pytest.fixture
def maps():
    probability = grid(0.25)
    probability[3, 4] = 0.004
    return OcclusionMaps(
        probability, grid(1, np.int64), grid(0.5), grid(7), np.zeros((23, 24, 2)), 1, Unoccluded(0.91, 1, 0.91, 8.0), "conv5", 42,
        (48, 40), (8, 7), "gray", "inside", "incremental", True, tuple(f"class number {number}" for number in range(1000)),
    )  # fmt: skip


def test_maps_state_their_settings(maps):
    assert repr(maps) == (
        "OcclusionMaps(23 x 24 positions, window 48 x 40, stride 8 x 7, inside, fill gray; "
        "class number 1: probability 0.91 unoccluded, 0.004 to 0.25 occluded; conv5 unit 42)"
    )


def test_incomplete_maps_state_their_progress(maps):
    part = np.where(np.arange(23 * 24).reshape(23, 24) < 40, 0.5, np.nan).astype(np.float32)
    assert "0.5 to 0.5 occluded; conv5 unit 42; 40 of 552 done)" in repr(replace(maps, probability=part, activity=part, complete=False))
    none = grid(np.nan)
    assert "0.91 unoccluded; conv5 unit 42; 0 of 552 done)" in repr(replace(maps, probability=none, activity=none, complete=False))


def test_maps_without_a_classifier_have_no_probability(maps):
    bare = replace(maps, probability=None, label=None, label_probability=None, target=None, unoccluded=Unoccluded(None, None, None, 8.0))
    assert repr(bare).endswith("fill gray; conv5 unit 42)")


def head(classes=101):
    names = tuple(f"class number {number}" for number in range(classes))
    report = {f"fact {number}": number for number in range(10)}
    return Head("alexnet", "features.12", "pool5", (6, 6), np.zeros((classes, 9216)), np.zeros(classes), names, "a" * 64, "data", report)


def results():
    many = np.zeros(3000, np.int64)
    deltas = {"conv5": {f"part {number}": 0.123456789 for number in range(9)}, "pool5": {"nose": 0.1}}
    yield Faithfulness("conv5", many, many, np.ones(3000), np.zeros(3000), np.zeros((3000, 4))), "Faithfulness(conv5, 3000 images"
    yield Correspondence(("conv5", "pool5"), ("nose",), deltas, 5), "Correspondence(5 images; conv5: part 0 0.123, "
    yield (
        Projection(np.zeros((9, 3, 99, 99)), np.zeros((9, 4)), many, many, "conv3", 7, "deconvnet", "local"),
        "Projection(pixels=<float64 9",
    )
    yield head(), "Head(model='alexnet'"
    yield LayerStats(*[np.zeros(256)] * 5, np.zeros((256, 30)), np.zeros((256, 31))), "LayerStats(maximum=<float64 256>"
    yield EncodedImage(b"x" * 40_000, "image/png", 200, 100), "EncodedImage(data=<40,000 bytes>, mime='image/png', width=200, height=100)"
    confusion = np.zeros((101, 101), np.int64)
    facts = ("caltech101", "alexnet", "pool5", "256 x 6 x 6", 30, 0, head().categories, (0.86, 0.87), (1e-6, 1e-6))
    report = HeadReport(*facts, confusion, *[many] * 5, head(), 12.0, True)
    yield report, "HeadReport(caltech101, 30 per class, softmax on pool5 of alexnet: 86.5 ± 0.5% in 2 folds, 101 classes)"
    yield replace(report, complete=False, per_fold=()), "HeadReport(caltech101, 30 per class, softmax on pool5 of alexnet: no fold finished"
    settings = (1, "done", "caltech101", "pool5", 30, 2, None, "one", (0.86, 0.87), (1e-6, 1e-6))
    summary = TransferRunSummary(*settings, "256 x 6 x 6", 12.0, 0, None, None, None, ())
    run_results = TransferResults(summary, head().categories, np.zeros(101), np.zeros(101), confusion, (), True)
    summary_text = "TransferRunSummary(run 1: caltech101, 30 per class, pool5, done; 86.5 ± 0.5% in 2 folds)"
    yield run_results, f"TransferResults({summary_text}, 101 classes)"


@pytest.mark.parametrize(("result", "start"), list(results()), ids=lambda value: type(value).__name__)
def test_a_result_is_one_short_line(result, start):
    assert repr(result).startswith(start)
    assert len(repr(result)) <= MAX_LENGTH
    assert "\n" not in repr(result)


def test_a_bundle_does_not_print_its_model():
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 1000)
    net = nn.Sequential(*[nn.Conv2d(3, 3, 3, padding=1) for _ in range(30)], *head).eval()
    bundle = dw.ModelBundle.from_module(net, categories=[f"class {number}" for number in range(1000)], name="mine")
    assert repr(bundle).startswith("ModelBundle(name='mine', model=<Sequential>, transform=<Preprocess>, categories=<1,000 items>")
    assert len(repr(bundle)) <= MAX_LENGTH


def test_fields_without_repr_are_not_shown():
    @dataclass(frozen=True)
    class Record:
        size: tuple[int, int]
        text: str
        items: tuple[str, ...]
        hidden: int = field(repr=False, default=3)
        __repr__ = compact_repr

    assert (
        repr(Record((1, 2), "w" * 99, ("n" * 99,)))
        == f"{Record.__qualname__.split('.')[-1]}(size=(1, 2), text='{'w' * 59}…', items=<1 item>)"
    )


def test_describe_accuracy():
    assert [describe_accuracy(folds) for folds in ((), (0.5,), (0.86, 0.87))] == [
        "no fold finished",
        "50.0 ± 0.0% in 1 fold",
        "86.5 ± 0.5% in 2 folds",
    ]


def test_fill_names_are_normalised():
    assert [named_fill(name) for name in ("Grey", "gray", "BLUR", "Red", "#Abc")] == ["gray", "gray", "blur", "#ff0000", "#aabbcc"]
    assert [named_fill(name) for name in ("", "greyish", "#11223344", "rgb(300, 0, 0)", "x" * 200)] == [None] * 5
