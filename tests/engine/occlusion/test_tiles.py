"""Tiles cover what patches affect, as exactly as possible or in a few sizes."""

from __future__ import annotations

import time
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import nn

from deconvwidgets.engine import Network
from deconvwidgets.engine.occlusion.affected_region import AffectedRegion
from deconvwidgets.engine.occlusion.tiles import Layout, _best_choice, _round_up, tile_layouts
from tests.engine.occlusion.reference import corners_and_middle, occlude_by_pixels


def test_tiles_are_exactly_the_affected_regions() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 2, 5, 2, padding=2), nn.AvgPool2d(3, 2, ceil_mode=True), nn.Conv2d(2, 2, 3, padding=2), nn.AvgPool2d(2)
    )
    model = model.double().eval()
    network, image = Network.of(model, (1, 61, 57)), torch.zeros(1, 1, 61, 57, dtype=torch.float64)
    patch_sets = corners_and_middle(61, 57, (9, 12))
    graph = network.graph
    for layer in ("0", "1", "2", "3"):
        node = network.node(layer)
        maps, _ = occlude_by_pixels(model, model[int(layer)], image, torch.full((1, 61, 57), 50.0, dtype=torch.float64), patch_sets)
        plain, _ = occlude_by_pixels(model, model[int(layer)], image, image[0], patch_sets)
        changed = (maps != plain).any(1)
        operations = graph.ancestors([node])
        for patches, affected in zip(patch_sets, changed, strict=True):
            ((left, top, right, bottom),) = patches
            region = AffectedRegion(
                torch.tensor([[max(top, 0), max(left, 0)]]).numpy(), torch.tensor([[min(bottom, 61), min(right, 57)]]).numpy()
            )
            layout = tile_layouts(operations, region)[node]
            rows, columns = affected.any(1).nonzero().flatten(), affected.any(0).nonzero().flatten()
            tile = layout.groups[0]
            assert tile.starts.tolist() == [[int(rows[0]), int(columns[0])]]
            assert tile.size == (int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1)


@pytest.mark.parametrize("count", [1, 15, 16, 63, 64, 200])
def test_a_few_tile_sizes_cover_all_regions(count: int) -> None:
    rng = torch.Generator().manual_seed(count)
    first = torch.randint(0, 40, (count, 2), generator=rng).numpy()
    last = first + torch.randint(1, 12, (count, 2), generator=rng).numpy()
    layout = Layout.covering(AffectedRegion(first, last), (51, 51))
    members = []
    for group in layout.groups:
        assert (group.starts >= 0).all()
        assert (group.starts + group.size <= 51).all()
        assert (group.starts <= first[group.members]).all()
        assert (group.starts + group.size >= last[group.members]).all()
        members += group.members.tolist()
    assert sorted(members) == list(range(count))
    assert len({group.size[0] for group in layout.groups}) <= 3


def _smallest_sum(distinct: list[int], counts: list[int], number: int) -> int:
    """Return the smallest sum of sizes rounded up to `number` of them, by trying all choices."""
    choices = ((*smaller, distinct[-1]) for smaller in combinations(distinct[:-1], number - 1))
    return min(
        sum(count * min(chosen for chosen in choice if chosen >= size) for size, count in zip(distinct, counts, strict=True))
        for choice in choices
    )


@pytest.mark.parametrize("seed", range(60))
def test_the_tile_sizes_are_the_best_choice(seed: int) -> None:
    rng = np.random.default_rng(seed)
    distinct = np.unique(rng.integers(1, 60, rng.integers(1, 11)))
    counts = rng.integers(1, 1 + 10 ** int(rng.integers(1, 6)), len(distinct))
    for number in range(1, 1 + min(len(distinct), 5)):
        chosen = distinct[_best_choice(distinct, counts, number)]
        assert len(np.unique(chosen)) == number
        total = sum(count * chosen[chosen >= size].min() for size, count in zip(distinct, counts, strict=True))
        assert total == _smallest_sum(distinct.tolist(), counts.tolist(), number)


@pytest.mark.parametrize(("count", "number"), [(15, 1), (16, 2), (63, 2), (64, 3), (256, 4), (1024, 5)])
def test_sizes_are_rounded_up_to_a_few(count: int, number: int) -> None:
    sizes = np.random.default_rng(count).integers(1, 14, count)
    rounded = _round_up(sizes)
    assert (rounded >= sizes).all()
    assert len(np.unique(rounded)) == number
    distinct, counts = np.unique(sizes, return_counts=True)
    assert rounded.sum() == _smallest_sum(distinct.tolist(), counts.tolist(), number)


def test_choosing_among_many_sizes_is_quick() -> None:
    sizes = np.random.default_rng(0).integers(1, 200, 4096)  # 199 sizes: some 62 million choices of 5
    start = time.perf_counter()
    _round_up(sizes)
    assert time.perf_counter() - start < 20, "trying all choices takes minutes"
