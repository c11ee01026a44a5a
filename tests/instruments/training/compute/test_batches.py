"""Orders, crops, flips and dropout are functions of (seed, epoch, place)."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

import deconvwidgets as dw
from deconvwidgets.instruments.training.compute.batches import EpochPlan, TrainingBatches
from deconvwidgets.instruments.training.compute.dropout import PositionalDropout, Rows
from deconvwidgets.instruments.training.compute.pixels import PixelsInMemory


def batches_of(count, batch_size, **fields):
    generator = np.random.default_rng(3)
    pixels = generator.integers(0, 256, (count, 3, 9, 11), dtype=np.uint8)
    recipe = dw.Recipe(batch_size=batch_size, **fields)
    return TrainingBatches(PixelsInMemory(pixels, np.ones(count, bool)), np.arange(count), (6, 7), (3, 4), recipe)


@given(st.integers(1, 40), st.integers(1, 17), st.integers(1, 3), st.integers(0, 50), st.sampled_from(["random", "corners", None]))
def test_a_resumed_epoch_and_shares_of_processes_are_those_of_the_whole_epoch(count, batch_size, processes, epoch, crops):
    batches = batches_of(count, batch_size, crops=crops)
    whole = list(batches.of_epoch(epoch, 0, (0, 1)))
    assert len(whole) == batches.steps
    step = len(whole) // 2
    shares = [list(batches.of_epoch(epoch, step, (rank, processes))) for rank in range(processes)]
    for number, batch in enumerate(whole[step:]):
        parts = [share[number] for share in shares]
        assert torch.equal(torch.cat([part.pixels for part in parts]), batch.pixels)
        assert torch.equal(torch.cat([part.labels for part in parts]), batch.labels)
        assert [part.rows.start for part in parts] == [0, *(part.rows.stop for part in parts)][:-1]


def test_an_epoch_shows_every_image_once_in_an_order_of_its_own():
    batches = batches_of(30, 8)
    epochs = [torch.cat([batch.labels for batch in batches.of_epoch(epoch, 0, (0, 1))]).tolist() for epoch in (0, 1)]
    assert epochs[0] != epochs[1]
    assert all(sorted(epoch) == list(range(30)) for epoch in epochs)


def test_a_single_image_makes_no_batch_of_its_own():
    assert [len(batch.labels) for batch in batches_of(17, 8).of_epoch(0, 0, (0, 1))] == [8, 8]
    assert [len(batch.labels) for batch in batches_of(1, 8).of_epoch(0, 0, (0, 1))] == [1]


def test_crops_and_flips_are_the_pixels_that_the_plan_says():
    batches = batches_of(12, 12)
    plan = EpochPlan.of(batches.recipe, 4, 12, (3, 4))
    (batch,) = batches.of_epoch(4, 0, (0, 1))
    assert set(plan.flips) == {True, False}
    assert len({tuple(corner) for corner in plan.corners}) > 5
    for image, example, (top, left), flip in zip(batch.pixels.numpy(), plan.order, plan.corners, plan.flips, strict=True):
        part = batches.pixels.pixels[example][:, top : top + 6, left : left + 7]
        assert np.array_equal(image, part[:, :, ::-1] if flip else part)


def test_corners_are_the_four_corners_and_the_centre():
    plan = EpochPlan.of(dw.Recipe(crops="corners", flips=False), 0, 300, (32, 30))
    assert {tuple(map(int, corner)) for corner in plan.corners} == {(0, 0), (0, 30), (32, 0), (32, 30), (16, 15)}
    assert not plan.flips.any()


@pytest.mark.parametrize("function", [F.dropout, F.dropout2d])
def test_dropout_masks_of_a_share_are_the_rows_of_the_whole(function):
    x = torch.rand(7, 5, 4, 4) + 0.1

    def dropped(start, stop, seeds=(0, 3, 5)):
        with PositionalDropout(seeds, Rows(start, stop, 7)):
            return [function(x[start:stop], 0.4) for _ in range(2)]

    first, second = dropped(0, 7)
    assert not torch.equal(first, second)  # two layers have masks of their own, and so have steps, epochs and seeds
    assert not any(torch.equal(first, dropped(0, 7, seeds)[0]) for seeds in ((0, 3, 6), (0, 4, 5), (1, 3, 5)))
    parts = dropped(0, 3), dropped(3, 7)
    assert torch.equal(torch.cat([part[0] for part in parts]), first)
    assert torch.equal(torch.cat([part[1] for part in parts]), second)
    kept = first != 0
    assert torch.allclose(first[kept], x[kept] / 0.6)
    assert 0.3 < 1 - kept.float().mean() < 0.5 or function is F.dropout2d
    assert function is F.dropout or all(len(set(row.flatten().tolist())) == 1 for row in kept.flatten(0, 1))


def test_the_recipe_decides_the_probability_of_dropout():
    x = torch.ones(4, 1000)
    with PositionalDropout((0,), Rows(0, 4, 4), probability=0.9):
        assert 0.85 < (torch.nn.Dropout(0.1)(x) == 0).float().mean() < 0.95
        assert torch.equal(torch.nn.Dropout(0.1).eval()(x), x)
    with PositionalDropout((0,), Rows(0, 4, 4), probability=0):
        assert torch.equal(F.dropout(x, 0.5), x)
