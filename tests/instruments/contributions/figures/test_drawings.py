import csv
import io

import numpy as np
import pytest

import deconvwidgets as dw
from deconvwidgets.errors import ContributionError
from deconvwidgets.figures.drawing import Raster, Text
from deconvwidgets.instruments.contributions.feeders import FeederEdge, FeederNode, FeederTree
from deconvwidgets.instruments.contributions.figures.ablation_drawing import ablation_drawing
from deconvwidgets.instruments.contributions.figures.files import contributions_csv
from deconvwidgets.instruments.contributions.figures.tree_drawing import NodePictures, tree_drawing


def test_tree_has_each_node_once_and_its_pictures():
    nodes = (FeederNode("conv5", 3, 0), FeederNode("conv5", 8, 0), FeederNode("conv4", 1, 1), FeederNode("conv4", 9, 1))
    edges = (FeederEdge(0, -1, 1.5, 0.4), FeederEdge(1, -1, 0.5, 0.2), FeederEdge(2, 0, 2.0, 0.3), FeederEdge(2, 1, 1.0, 0.1),
             FeederEdge(3, 1, 0.9, 0.08))  # fmt: skip
    tree = FeederTree("cougar face against beaver", ("conv5", "conv4"), nodes, edges, ("Exact terms.",))
    pictures = {(node.layer, node.unit): NodePictures(np.full((9, 9, 3), 10, np.uint8), np.full((9, 9, 3), 20, np.uint8)) for node in nodes}
    drawing = tree_drawing(tree, pictures, "title", "caption")
    texts = [item.text for item in drawing.items if isinstance(item, Text)]
    assert [texts.count(name) for name in ("conv5 3", "conv5 8", "conv4 1", "conv4 9")] == [1, 1, 1, 1]
    assert "30%" in texts  # the larger of the two shares of conv4 1
    rasters = [item for item in drawing.items if isinstance(item, Raster)]
    assert len(rasters) == 8
    for item in rasters:
        assert 0 <= item.x <= item.x + item.width <= drawing.width
        assert item.y + item.height <= drawing.height
    boxes = [(item.x, item.y, item.x + item.width, item.y + item.height) for item in rasters]
    assert not any(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3] for k, a in enumerate(boxes) for b in boxes[k + 1 :])


def test_files_of_an_ablation(tiny_bundle, noise):
    images = noise(10)
    other = dw.ModelBundle.from_module(
        tiny_bundle.model, transform=tiny_bundle.transform, input_size=(3, 16, 16), categories=["cat", "dog", "=kite"]
    )
    found = dw.ablate_units(other, images, "conv1")
    rows = list(csv.reader(io.StringIO(dw.ablation_file(found, "csv").decode())))
    assert rows[0][:5] == ["unit", "accuracy change", "now right", "now wrong", "answers changed"]
    assert [float(row[1]) for row in rows[1:]] == pytest.approx(found.accuracy_changes.tolist(), abs=1e-5)
    for kind, start in (("png", b"\x89PNG"), ("svg", b"<svg"), ("pdf", b"%PDF")):
        assert dw.ablation_file(found, kind).startswith(start)
    with pytest.raises(ContributionError, match="There is no kind 'gif'"):
        dw.ablation_file(found, "gif")
    heat = next(item for item in ablation_drawing(found).items if isinstance(item, Raster))
    dead = found.accuracy_changes[np.argsort(found.accuracy_changes, kind="stable")].tolist().index(0)
    assert heat.pixels.shape[2] == 3
    assert dead >= 0


def test_table_of_contributions_lists_all_units(tiny_bundle, noise):
    found = dw.unit_contributions(tiny_bundle, noise(4).open_source(1), "conv2", 0, 1)
    rows = list(csv.reader(io.StringIO(contributions_csv(found).decode())))
    assert [int(row[0]) for row in rows[1:]] == found.ranking.tolist()
    values = np.array([[float(cell) for cell in row[1:4]] for row in rows[1:]])
    np.testing.assert_allclose(values[:, 0], values[:, 1] - values[:, 2], atol=1e-6)
