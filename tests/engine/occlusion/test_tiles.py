"""Tiles cover what patches affect, as exactly as possible or in a few sizes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from deconvwidgets.engine import Network
from deconvwidgets.engine.occlusion.affected_region import AffectedRegion
from deconvwidgets.engine.occlusion.tiles import Layout, tile_layouts
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
