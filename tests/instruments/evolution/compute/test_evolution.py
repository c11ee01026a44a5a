"""The measures against plain computations, and planted changes that must be found."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

import deconvwidgets as dw
from deconvwidgets.assets.cache import index_folder
from deconvwidgets.checkpoints.checkpoint_file import checkpoint_path, write_checkpoint
from deconvwidgets.checkpoints.description import TrainingDescription, write_description
from deconvwidgets.compute.job import JobContext
from deconvwidgets.errors import ActivationIndexError, CheckpointError, JobCancelledError, LayerError
from deconvwidgets.instruments.evolution.compute.epochs import IndexedEpochs
from deconvwidgets.models.preprocess import Preprocess
from tests.conftest import NoisePhotographs, make_tiny_bundle
from tests.instruments.evolution.trainings import (
    LAYERS,
    colour_images,
    noise,
    plain_activations,
    plain_cka,
    plain_photographs,
    unchanged,
    write_training,
)

pytestmark = pytest.mark.usefixtures("own_cache")


def evolution_of(folder, changes, images=None):
    return dw.feature_evolution(write_training(folder, changes), images or NoisePhotographs(), device="cpu", progress=False)


def swap_units(net):
    for tensor in (net[0].weight, net[0].bias):
        tensor[[0, 1]] = tensor[[1, 0]].clone()


def kill_unit(net):
    net[0].weight[1], net[0].bias[1] = 0, -1


def test_the_measures_are_those_of_a_plain_computation(tmp_path):
    images = NoisePhotographs()
    checkpoints = write_training(tmp_path, {0: unchanged, 1: noise(1), 2: noise(2), 5: noise(3)})
    evolution = dw.feature_evolution(checkpoints, images, device="cpu", progress=False)
    for layer in LAYERS:
        found = evolution.convergence(layer)
        plain = [plain_activations(checkpoints.bundle(epoch), images, layer) for epoch in checkpoints.epochs]
        final, photographs = plain[-1]
        last = plain_photographs(final, photographs)
        for column, (values, _) in enumerate(plain):
            varied = [unit for unit in range(values.shape[1]) if np.ptp(values[:, unit]) > 0 and np.ptp(final[:, unit]) > 0]
            correlations = [np.corrcoef(values[:, unit], final[:, unit])[0, 1] for unit in varied]
            assert found.correlation[column] == pytest.approx(np.median(correlations), abs=1e-6)
            assert np.flatnonzero(~found.constant[column]).tolist() == varied
            same = [one == other for one, other in zip(plain_photographs(values, photographs), last, strict=True) if other is not None]
            assert found.same_strongest[column] == pytest.approx(np.mean(same))
            assert found.cka[column] == pytest.approx(plain_cka(values, final), abs=1e-6)
            assert evolution.strongest(layer).values[:, column] == pytest.approx(values.max(axis=0), abs=1e-5)
        assert found.samples == len(final) == 39  # 14 photographs with three crops each, of which two are equal
        changed = [[one != other for one, other in zip(*pair, strict=True)] for pair in _pairs(plain)]
        assert evolution.strongest(layer).changed[:, 1:].T.tolist() == changed
    assert evolution.convergence("conv1").constant[:, 2].all()  # the dead unit
    assert evolution.convergence("conv1").without_strongest == 1


def _pairs(plain):
    named = [plain_photographs(values, photographs) for values, photographs in plain]
    return list(pairwise(named))


def test_identical_checkpoints_agree_and_nothing_changes(tmp_path):
    evolution = evolution_of(tmp_path, {0: unchanged, 1: unchanged, 2: unchanged})
    for layer in LAYERS:
        found = evolution.convergence(layer)
        assert found.correlation.tolist() == found.cka.tolist() == found.same_strongest.tolist() == [1, 1, 1]
        assert found.reached() == 0
        assert not evolution.strongest(layer).changed.any()


def test_swapped_units_change_the_units_and_not_cka(tmp_path):
    evolution = evolution_of(tmp_path, {0: unchanged, 1: swap_units, 2: swap_units})
    found = evolution.convergence("conv1")
    assert found.cka[1] == pytest.approx(1)
    assert found.unit_correlation[1, 3] == 1
    assert max(found.unit_correlation[1, [0, 1]]) < 0.99
    assert found.unit_correlation[0].tolist()[:2] == [1, 1]
    values = evolution.strongest("conv1").values
    assert values[0, 1] == values[1, 0]
    assert values[1, 1] == values[0, 0]


def test_a_unit_that_dies_is_said_to_be_constant(tmp_path):
    evolution = evolution_of(tmp_path, {0: unchanged, 2: unchanged, 3: kill_unit, 4: unchanged})
    strongest, found = evolution.strongest("conv1"), evolution.convergence("conv1")
    assert strongest.images[1].tolist()[2:] == [-1, -1]
    assert strongest.values[1].tolist()[2:] == [0, 0]
    assert strongest.changed[1].tolist() == [False, False, True, False]
    assert found.constant[:, 1].all()  # it is constant at the last checkpoint, with which all are compared
    assert found.correlation.tolist() == [1, 1, 1, 1]  # over the units that are not
    assert found.without_strongest == 2


def test_a_jump_is_found_where_it_was_planted(tmp_path):
    net = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 64, 2)).eval()
    transform = Preprocess(resize=8, crop=(8, 8), mean=(0, 0, 0), std=(1, 1, 1))
    bundle = dw.ModelBundle.from_module(net, transform=transform, name="colours")

    def likes(*channels):
        def change(net):
            net[0].weight.zero_()
            net[0].bias.zero_()
            for unit, channel in enumerate(channels):
                net[0].weight[unit, channel] = 1

        return change

    checkpoints = write_training(tmp_path, {0: likes(0, 1), 1: likes(0, 1), 2: likes(2, 1), 3: likes(2, 0)}, bundle)
    images = dw.open_images(colour_images("red", "lime", "blue"))
    evolution = dw.feature_evolution(checkpoints, images, device="cpu", progress=False)
    strongest = evolution.strongest("conv1")
    assert strongest.images.tolist() == [[0, 0, 2, 2], [1, 1, 1, 0]]
    assert strongest.changed.tolist() == [[False, False, True, False], [False, False, False, True]]
    assert evolution.convergence("conv1").same_strongest.tolist() == [0, 0, 0.5, 1]
    assert evolution.units("conv1", "changed", count=2) == (0, 1)


class HalfRedHalfGreen(NoisePhotographs):
    """A photograph whose crops are red and green, and a blue one."""

    BOXES = ((0, 0, 28, 24), (0, 0, 14, 24), (14, 0, 28, 24))

    def __init__(self):
        super().__init__(count=4)
        self.pixels = np.zeros((2, 24, 28, 3), np.uint8)
        self.pixels[0, :, :14, 0] = self.pixels[0, :, 14:, 1] = self.pixels[1, :, :, 2] = 255


def test_another_crop_of_the_same_photograph_is_no_change(tmp_path):
    net = nn.Sequential(nn.Conv2d(3, 1, 8), nn.ReLU(), nn.Flatten(), nn.Linear(1, 2)).eval()
    transform = Preprocess(resize=8, crop=(8, 8), mean=(0, 0, 0), std=(1, 1, 1))

    def likes(channel):
        def change(net):
            net[0].weight.zero_()
            net[0].bias.zero_()
            net[0].weight[0, channel] = 1

        return change

    bundle = dw.ModelBundle.from_module(net, transform=transform, name="colours")
    checkpoints = write_training(tmp_path, {0: likes(0), 1: likes(1), 2: likes(2)}, bundle)
    found = dw.feature_evolution(checkpoints, HalfRedHalfGreen(), device="cpu", progress=False).strongest("conv1")
    assert found.images[0].tolist() == [1, 2, 3]  # the red crop, the green crop, the other photograph
    assert found.changed[0].tolist() == [False, False, True]


def built_indexes():
    """The files of indexes in the cache, with the times at which they were written."""
    return {(path.name, path.stat().st_mtime_ns) for path in index_folder().glob("*.index")}


def test_one_more_checkpoint_costs_one_pass(tmp_path):
    images = NoisePhotographs()
    checkpoints = write_training(tmp_path, {0: unchanged, 1: noise(1)})
    evolution = dw.feature_evolution(checkpoints, images, device="cpu", progress=False)
    two = built_indexes()
    assert len(two) == 2
    assert images.opened == 14  # the decoded images are kept for the second pass
    dw.feature_evolution(checkpoints, images, device="cpu", progress=False)
    assert built_indexes() == two
    write_checkpoint(tmp_path, 2, make_tiny_bundle(seed=3).model.state_dict())
    assert evolution.refresh(progress=False) == (2,)
    assert two < built_indexes()
    assert (len(built_indexes()), images.opened) == (3, 14)
    assert evolution.epochs == (0, 1, 2)
    again = dw.feature_evolution(checkpoints, images, device="cpu", progress=False)
    assert np.array_equal(again.convergence("conv2").correlation, evolution.convergence("conv2").correlation)


def test_a_checkpoint_that_cannot_be_used_is_left_out_by_name(tmp_path):
    checkpoints = write_training(tmp_path, {0: unchanged, 1: noise(1), 2: noise(2)})
    path = checkpoint_path(tmp_path, 1)
    path.write_bytes(path.read_bytes()[:-40] + bytes(40))
    with pytest.warns(UserWarning, match="epoch 1 is left out"):
        evolution = dw.feature_evolution(checkpoints, NoisePhotographs(), device="cpu", progress=False)
    assert evolution.epochs == (0, 2)
    assert "epoch-0001" in evolution.failed[1]
    with pytest.raises(CheckpointError, match="epoch 1 could not be used"):
        evolution.index(1)
    assert "failed: 1" in repr(evolution)


def test_the_reasons_are_said_where_no_file_can_be_used(tmp_path):
    write_description(tmp_path, TrainingDescription(input_size=(3, 16, 16)))
    checkpoints = dw.open_checkpoints(tmp_path, nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))
    checkpoint_path(tmp_path, 1).write_bytes(b"cut")
    with pytest.raises(CheckpointError, match=r"No checkpoint of Sequential can be used\. .*epoch-0001\.safetensors is damaged"):
        dw.feature_evolution(checkpoints, NoisePhotographs(), device="cpu", progress=False)


def test_other_units_are_another_architecture(tmp_path):
    def build():
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)).eval()

    torch.manual_seed(0)
    checkpoints = write_training(tmp_path, {0: unchanged, 1: unchanged}, dw.ModelBundle.from_module(build(), input_size=(3, 16, 16)))
    evolution = dw.feature_evolution(checkpoints, NoisePhotographs(), device="cpu", progress=False)
    other = dw.ActivationIndex.build(make_tiny_bundle(), NoisePhotographs(), progress=False, device="cpu")
    with pytest.raises(ActivationIndexError, match="Another architecture: its conv1 has 4 maps of 8 x 8, not 4 maps of 14 x 14"):
        IndexedEpochs({0: evolution.index(0)}).with_index(2, other)


def test_random_units_are_a_choice_that_grows(tmp_path):
    evolution = evolution_of(tmp_path, {0: unchanged, 1: noise(1)})
    assert evolution.units("conv1", count=9, seed=4) == (0, 1, 3)  # without the dead one
    assert set(evolution.units("conv2", count=2, seed=4)) < set(evolution.units("conv2", count=3, seed=4))
    assert evolution.units("conv2", [3, 1, 3]) == (3, 1)
    assert len({evolution.units("conv2", count=2, seed=seed) for seed in range(9)}) > 1
    for wrong in ([5], [-1], "best", [1.0], 3):
        with pytest.raises(LayerError):
            evolution.units("conv2", wrong)
    with pytest.raises(LayerError, match="no layer 'conv9'"):
        evolution.convergence("conv9")


def test_a_cancelled_job_keeps_the_indexes_that_were_built(tmp_path):
    checkpoints, images = write_training(tmp_path, {0: unchanged, 1: noise(1)}), NoisePhotographs()
    with pytest.raises(JobCancelledError, match="before epoch 1"):
        dw.feature_evolution(checkpoints, images, device="cpu", progress=False, job=JobContext(cancelled=lambda: bool(built_indexes())))
    first = built_indexes()
    assert len(first) == 1
    assert dw.feature_evolution(checkpoints, images, device="cpu", progress=False).epochs == (0, 1)
    assert first < built_indexes()


def test_the_table_has_a_row_per_layer_and_epoch(tmp_path):
    frame = evolution_of(tmp_path, {0: unchanged, 1: noise(1)}).to_dataframe()
    assert frame["layer"].tolist() == ["conv1", "conv1", "conv2", "conv2"]
    assert frame["constant_units"].tolist() == [1, 1, 0, 0]
    assert frame["cka"].tolist()[1::2] == [1, 1]
