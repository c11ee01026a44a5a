"""Frozen units and checks: planted changes are found exactly, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import deconvwidgets as dw
from deconvwidgets.errors import ComparisonError
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.comparison.check_records import UnitCheck
from tests.instruments.comparison.planted import bundle_of, conv_net, parts, silenced, with_units_from

NET = conv_net((6, 8), seed=3)
LAYERS = ("conv1", "conv2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 40 photographs of coloured noise with a structure of several sizes."""
    root = tmp_path_factory.mktemp("photographs")
    generator = np.random.default_rng(0)
    for number in range(40):
        side = int(generator.choice([2, 4, 8, 24]))
        pixels = generator.integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((24, 24), Image.Resampling.BICUBIC).save(root / f"image-{number:02}.png")
    return root


@pytest.fixture(scope="module")
def images(folder: Path) -> ImageSet:
    return dw.open_images(str(folder))


@pytest.fixture(scope="module")
def frozen(images: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("frozen") / "units.json"
    dw.freeze(bundle_of(NET), images, path, progress=False, device="cpu")
    return path


@pytest.fixture
def checked(frozen: Path, images: ImageSet) -> Callable[..., UnitCheck]:
    """Check a network against the frozen units of NET."""

    def check(net: nn.Module, **options: Any) -> UnitCheck:
        return dw.check(frozen, bundle_of(net), images, progress=False, device="cpu", **options)

    return check


def statuses(found: UnitCheck, layer: str) -> dict[str, list[int]]:
    """The units of each status but "kept"."""
    status = found.layer(layer).status
    return {name: np.flatnonzero(status == name).tolist() for name in set(status.tolist()) - {"kept"}}


def with_noise(net: nn.Module, share: float) -> nn.Module:
    """A copy whose weights are off by a share."""
    changed = conv_net((6, 8), seed=3)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in changed.parameters():
            parameter.mul_(1 + share * torch.randn(parameter.shape, generator=generator))
    return changed


@pytest.mark.parametrize("net", [NET, with_noise(NET, 1e-6), NET.to(memory_format=torch.channels_last)])
def test_the_same_model_differs_nowhere(checked: Callable[..., UnitCheck], net: nn.Module) -> None:
    found = checked(net)
    assert found.passed
    assert found.exit_code == 0
    assert [verdict.found for verdict in found.verdicts] == [0, 0, 0, 0]
    for layer in found.layers:
        assert set(layer.status.tolist()) == {"kept"}
        assert layer.correlation.min() > 0.9999
        assert layer.overlap.tolist() == [1.0] * len(layer.status)
        assert layer.likeness.min() > 0.999
    assert found.notes == ()


def test_the_same_model_differs_nowhere_with_the_strictest_thresholds(checked: Callable[..., UnitCheck]) -> None:
    """The activations in the file have 8 bits: those of the model are compared in 8 bits as well."""
    found = checked(NET, min_correlation=1, min_overlap=1, min_likeness=1, max_scale=1, max_changed=0)
    assert (found.passed, [verdict.found for verdict in found.verdicts]) == (True, [0, 0, 0, 0])


def test_a_check_calls_those_units_the_same_that_a_comparison_does(checked: Callable[..., UnitCheck], images: ImageSet) -> None:
    """By the correlation alone, from one threshold on; noise brings units on both sides of it."""
    noisy = with_noise(NET, 0.6)
    compared = dw.compare(bundle_of(NET), bundle_of(noisy), images, LAYERS, progress=False, device="cpu")
    found = checked(noisy, min_overlap=0, min_likeness=0, max_scale=1e9)
    correlations = np.concatenate([layer.correlation for layer in found.layers])
    assert ((correlations > 0.88) & (correlations < 0.94)).any()  # near the threshold, and below it
    for name in LAYERS:
        assert found.layer(name).units("kept", "moved") == tuple(sorted((*compared.kept(name), *(a for a, _ in compared.moved(name)))))


def test_a_check_in_which_nothing_can_be_judged_does_not_pass(folder: Path, tmp_path: Path) -> None:
    """Any model would pass it."""
    one = tmp_path / "one"
    one.mkdir()
    for name in ("a.png", "b.png"):
        shutil.copy(folder / "image-00.png", one / name)
    with pytest.raises(ComparisonError, match=r"one has only 1 different crop.*give more images"):
        dw.freeze(bundle_of(NET), dw.open_images(str(one)), tmp_path / "one.json", progress=False)
    flat = tmp_path / "flat"
    flat.mkdir()
    for red in (1, 2):
        Image.new("RGB", (24, 24), (red, 0, 0)).save(flat / f"{red}.png")
    images, silent = dw.open_images(str(flat)), silenced(conv_net((1, 8)), 0, 0)
    dw.freeze(bundle_of(silent), images, tmp_path / "flat.json", ["conv1"], progress=False)
    with pytest.raises(ComparisonError, match="None of the frozen units can be judged"):
        dw.check(tmp_path / "flat.json", bundle_of(NET), images, progress=False)


def test_too_few_photographs_are_said(folder: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for number in range(6):
        shutil.copy(folder / f"image-{number:02}.png", few)
    images = dw.open_images(str(few))
    dw.freeze(bundle_of(NET), images, tmp_path / "few.json", progress=False)
    notes = dw.check(tmp_path / "few.json", bundle_of(NET), images, progress=False).notes
    assert "over only 6 photographs: units that have nothing in common reach 0.9" in notes[0]
    assert notes[1].startswith("The strongest photographs say nothing: 9 are kept of each unit, and there are only 6.")


def test_a_rare_unit_that_changed_places_with_a_dead_one_did_not_die(folder: Path, tmp_path: Path) -> None:
    """Units 0 and 1 are silent in the sample; 0 is active in one white photograph that is not in it."""
    root = tmp_path / "rare"
    shutil.copytree(folder, root)
    Image.new("RGB", (24, 24), (255, 255, 255)).save(root / "white.png")
    images, net = dw.open_images(str(root)), silenced(conv_net((6, 8), seed=3), 0, 1)
    bundle = bundle_of(net)
    with torch.no_grad():
        own = parts(net)[0]
        own.weight[0], own.bias[0] = 1.0, 0.0
        highest = sorted(float(own(bundle.prepare(images.open_crop(crop))[None])[0, 0].max()) for crop in range(len(images)))
        own.bias[0] = -(highest[-1] + highest[-2]) / 2
    frozen = dw.freeze(bundle_of(net), images, tmp_path / "rare.json", ["conv1"], samples=8, projections=0, progress=False)
    assert images.source_name(int(frozen.layers[0].top.sources[0, 0])) == "white.png"
    assert "white.png" not in [frozen.names[source] for source in frozen.sample_sources]
    for after, status in ((with_units_from(net, 0, [1, 0, 2, 3, 4, 5]), "constant"), (silenced(net, 0, 0), "died")):
        found = dw.check(tmp_path / "rare.json", bundle_of(after), images, progress=False).layer("conv1")
        assert found.status[:2].tolist() == [status, "dead"]


def test_a_killed_unit_died(checked: Callable[..., UnitCheck]) -> None:
    found = checked(silenced(NET, 1, 5), figures=10)
    assert statuses(found, "conv1") == {}
    assert statuses(found, "conv2") == {"died": [5]}
    assert not found.passed
    assert [(figure.layer, figure.unit) for figure in found.figures] == [(found.layer("conv2").info.name, 5)]
    assert found.figures[0].before_projections[:4] == b"RIFF"
    assert found.figures[0].after_patches == b""
    assert checked(silenced(NET, 1, 5), max_died=1).passed


def test_two_swapped_units_moved_and_are_no_change(checked: Callable[..., UnitCheck]) -> None:
    order = [0, 1, 7, 3, 4, 5, 6, 2]
    found = checked(with_units_from(NET, 1, order), figures=10)
    assert statuses(found, "conv2") == {"moved": [2, 7]}
    assert found.layer("conv2").match.tolist() == order
    assert found.passed
    assert found.figures == ()
    assert not checked(with_units_from(NET, 1, order), max_moved=1).passed


def test_a_permuted_copy_is_found_again(checked: Callable[..., UnitCheck]) -> None:
    order = [3, 0, 5, 1, 2, 4]  # unit n of the copy is unit order[n]
    found = checked(with_units_from(NET, 0, order))
    assert found.layer("conv1").match.tolist() == np.argsort(order).tolist()
    assert statuses(found, "conv1") == {"moved": [0, 1, 2, 3, 4, 5]}
    assert statuses(found, "conv2") == {}
    assert found.passed


def test_a_duplicated_unit_is_split_and_the_one_that_it_replaced_is_gone(checked: Callable[..., UnitCheck]) -> None:
    found = checked(with_units_from(NET, 1, [0, 1, 2, 3, 4, 5, 6, 1]))
    assert found.layer("conv2").copies == ((1, (7,)),)
    assert list(statuses(found, "conv2").values()) == [[7]]
    assert not found.passed
    assert not checked(with_units_from(NET, 1, [0, 1, 2, 3, 4, 5, 6, 1]), max_changed=None, max_split=0).passed


def test_a_removed_unit_is_gone_and_the_others_are_found(checked: Callable[..., UnitCheck]) -> None:
    found = checked(with_units_from(NET, 1, [0, 1, 3, 4, 5, 6, 7]))
    assert found.layer("conv2").match.tolist() == [0, 1, -1, 2, 3, 4, 5, 6]
    assert statuses(found, "conv2") == {"moved": [3, 4, 5, 6, 7], "lost": [2]}
    assert any("7 units instead of 8" in note for note in found.notes)
    assert any("over only 40 photographs: units that have nothing in common reach 0.5" in note for note in found.notes)


def test_a_unit_ten_times_as_strong_is_changed(checked: Callable[..., UnitCheck]) -> None:
    net = conv_net((6, 8), seed=3)
    with torch.no_grad():
        parts(net)[1].weight[4] *= 10
        parts(net)[1].bias[4] *= 10
    found = checked(net)
    assert statuses(found, "conv2") == {"changed": [4]}
    layer = found.layer("conv2")
    assert "10 times" in layer.reasons[4]
    assert layer.after.mean[4] == pytest.approx(10 * layer.before.mean[4], rel=1e-3)  # before is the frozen one
    assert [one.same_weights for one in found.layers] == [True, False]
    assert checked(net, max_scale=11).layer("conv2").units("changed") == ()


def test_an_exported_module_is_checked_by_its_aliases(frozen: Path, images: ImageSet) -> None:
    exported = torch.export.export(NET, (torch.zeros(1, 3, 24, 24),)).module()
    for module in exported.modules():
        module.training = False
    base = bundle_of(NET)
    bundle = dw.ModelBundle.from_module(exported, base.transform, name="exported", task=None)  # it takes one image at a time
    found = dw.check(frozen, bundle, images, progress=False)
    assert [layer.info_new.alias for layer in found.layers] == list(LAYERS)
    assert all(layer.same_weights and set(layer.status.tolist()) == {"kept"} for layer in found.layers)


@pytest.mark.filterwarnings("ignore")
def test_a_dynamically_quantised_head_leaves_the_units(checked: Callable[..., UnitCheck]) -> None:
    found = checked(torch.ao.quantization.quantize_dynamic(conv_net((6, 8), seed=3), {nn.Linear}, dtype=torch.qint8))
    assert found.passed
    assert any("cannot be traced" in note for note in found.notes)
    assert min(layer.likeness.min() for layer in found.layers) > 0.999


def test_the_same_photographs_elsewhere_and_renamed_are_accepted(frozen: Path, folder: Path, tmp_path: Path) -> None:
    for number, path in enumerate(sorted(folder.iterdir(), reverse=True)):
        shutil.copy(path, tmp_path / f"copy-{number:02}.png")
    found = dw.check(frozen, bundle_of(NET), dw.open_images(str(tmp_path)), progress=False)
    assert [layer.overlap.min() for layer in found.layers] == [1.0, 1.0]
    assert found.passed


def test_other_images_are_refused_in_words(frozen: Path, folder: Path, tmp_path: Path, images: ImageSet) -> None:
    with pytest.raises(ComparisonError, match=r"39 photographs instead of 40; it lacks image-39.png"):
        dw.check(frozen, bundle_of(NET), images.subset(range(39)), progress=False)
    other = shutil.copytree(folder, tmp_path / "other")
    Image.new("RGB", (24, 24), (9, 8, 7)).save(other / "image-03.png")
    with pytest.raises(ComparisonError, match=r"with other images .*image-03.png has other pixels"):
        dw.check(frozen, bundle_of(NET), dw.open_images(str(other)), progress=False)


def test_a_model_that_cannot_be_compared_is_refused(frozen: Path, images: ImageSet) -> None:
    with pytest.raises(ComparisonError, match=r"frozen at an input of 3 x 24 x 24, and net takes 3 x 32 x 32"):
        dw.check(frozen, bundle_of(NET, side=32), images, progress=False)
    with pytest.raises(ComparisonError, match="net has no layer 'conv2'"):
        dw.check(frozen, bundle_of(conv_net((6,))), images, progress=False)
    strided = conv_net((6, 8), seed=3)
    parts(strided)[1].stride = (2, 2)
    with pytest.raises(ComparisonError, match="The maps of conv2 are 12 x 12 in net, and were 24 x 24"):
        dw.check(frozen, bundle_of(strided), images, progress=False)
    with pytest.raises(ComparisonError, match=r"The file has no layer 'conv9'. It has conv1, conv2"):
        dw.check(frozen, bundle_of(NET), images, ["conv9"], progress=False)


@pytest.mark.parametrize("value", ["101%", "-1", "a few", 1.5, True, "5 of 10"])
def test_an_invalid_limit_is_refused(frozen: Path, images: ImageSet, value: Any) -> None:
    with pytest.raises(ComparisonError, match="max_died must be a number of units"):
        dw.check(frozen, bundle_of(NET), images, max_died=value, progress=False)


def test_nothing_is_overwritten_unasked(frozen: Path, images: ImageSet) -> None:
    before = frozen.read_bytes()
    with pytest.raises(ComparisonError, match=r"exists. Replace it with overwrite=True"):
        dw.freeze(bundle_of(NET), images, frozen, progress=False)
    dw.freeze(bundle_of(NET), images, frozen, overwrite=True, progress=False)
    assert frozen.read_bytes() == before  # it is deterministic


def test_the_scale_of_units_that_are_negative_is_that_of_their_deviation(images: ImageSet, tmp_path: Path) -> None:
    def net(factor: float) -> nn.Module:
        torch.manual_seed(4)
        made = nn.Sequential(nn.Conv2d(3, 8, 5), nn.Flatten(), nn.LazyLinear(3))
        with torch.no_grad():
            made(torch.zeros(1, 3, 24, 24))
            made[0].bias.fill_(-8)
            for parameter in made[0].parameters():
                parameter *= factor
        return made.eval()

    dw.freeze(bundle_of(net(1)), images, tmp_path / "units.json", progress=False, device="cpu")
    found = dw.check(tmp_path / "units.json", bundle_of(net(100)), images, progress=False, device="cpu")
    layer = found.layers[0]
    assert layer.before.mean.max() < 0
    assert statuses(found, "conv1") == {"changed": list(range(8))}
    assert "its standard deviation is 100 times as large" in layer.reasons[0]
