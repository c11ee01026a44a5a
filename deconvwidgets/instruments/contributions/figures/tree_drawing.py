"""A tree of feeders as a drawing: from a class or unit on the left to the edges on the right, with the top activations of each node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.figures.drawing import Drawing, Raster, Rectangle, Text, shorten, text_width, wrap
from deconvwidgets.figures.drawing_frame import add_caption
from deconvwidgets.instruments.contributions.feeders import FeederNode, FeederTree
from deconvwidgets.records.quantity import format_percent

Rgb = NDArray[np.uint8]

_EDGE, _TOP, _LINK, _LABEL, _GAP = 24.0, 74.0, 128.0, 18.0, 14.0
_SIDES = (150.0, 54.0)  # of a mosaic at most, and at least
_HEIGHT = 1000.0  # of a column, unless its mosaics would be too small
_ROOT = 176.0
_WIDEST = 6.0  # of a link, that of the largest share


@dataclass(frozen=True, slots=True, eq=False)
class NodePictures:
    """The top activations of a node as mosaics (S, S, 3) uint8; `projections` is None if the layer cannot be projected."""

    patches: Rgb
    projections: Rgb | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a node is drawn: its left top corner, the side of its mosaics, and its width."""

    x: float
    y: float
    side: float
    width: float

    @property
    def middle(self) -> float:
        return self.y + _LABEL + self.side / 2


def tree_drawing(tree: FeederTree, pictures: Mapping[tuple[str, int], NodePictures], title: str, caption: str) -> Drawing:
    """Return a tree as a drawing.

    Parameters
    ----------
    tree : FeederTree
    pictures : mapping of (layer, unit) to NodePictures
        Nodes without pictures are drawn as text.
    title : str
    caption : str
        What is shown and where the weights come from; the notes of the tree are added.
    """
    drawing = Drawing(1.0)
    places = _places(tree, pictures, _EDGE + (_ROOT if tree.root else 0.0))
    bottom = max(place.y + _LABEL + place.side for place in places) + _GAP
    width = max(max(place.x + place.width for place in places) + _EDGE, 720.0)
    drawing.width = width
    drawing.add(Text(_EDGE, 34, shorten(title, 17, width - 2 * _EDGE), 17, strong=True), Rectangle(0, 50, width, 1, "line"))
    root_y = float(np.mean([place.middle for place, node in zip(places, tree.nodes, strict=True) if node.depth == 0]))
    _add_links(drawing, tree, places, root_y)
    if tree.root:
        _add_root(drawing, tree.root, root_y)
    shares = _largest_shares(tree)
    for number, (node, place) in enumerate(zip(tree.nodes, places, strict=True)):
        _add_node(drawing, node, place, pictures.get((node.layer, node.unit)), shares.get(number))
    add_caption(drawing, bottom - 2, " ".join([caption, *tree.notes]))
    return drawing


def _places(tree: FeederTree, pictures: Mapping[tuple[str, int], NodePictures], left: float) -> list[_Place]:
    """Return the place of each node: a column for each depth, ordered by what the nodes feed, so that few links cross."""
    columns = [[number for number, node in enumerate(tree.nodes) if node.depth == depth] for depth in range(len(tree.layers))]
    most = max(columns, key=len)
    sides = [min(_SIDES[0], max(_SIDES[1], (_HEIGHT - len(column) * (_LABEL + _GAP)) / max(1, len(column)))) for column in columns]
    height = len(most) * (sides[columns.index(most)] + _LABEL + _GAP)
    height = max([height, *(len(column) * (side + _LABEL + _GAP) for column, side in zip(columns, sides, strict=True))])
    places: dict[int, _Place] = {}
    for column, side in zip(columns, sides, strict=True):
        two = any(_has_projections(pictures, tree.nodes[number]) for number in column)
        width = side * (2 if two else 1) + (2 if two else 0)
        step = height / max(1, len(column))
        for row, number in enumerate(_ordered(tree, column, places)):
            places[number] = _Place(left, _TOP + row * step + (step - side - _LABEL) / 2, side, width)
        left += width + _LINK
    return [places[number] for number in range(len(tree.nodes))]


def _ordered(tree: FeederTree, column: Sequence[int], places: Mapping[int, _Place]) -> list[int]:
    """Return the nodes of a column by the mean height of what they feed, weighted by shares."""

    def height(number: int) -> float:
        fed = [(edge.share, places[edge.to].middle) for edge in tree.edges if edge.source == number and edge.to in places]
        total = sum(share for share, _ in fed)
        return sum(share * middle for share, middle in fed) / total if total else 0.0

    return sorted(column, key=height)


def _has_projections(pictures: Mapping[tuple[str, int], NodePictures], node: FeederNode) -> bool:
    found = pictures.get((node.layer, node.unit))
    return found is not None and found.projections is not None


def _largest_shares(tree: FeederTree) -> dict[int, float]:
    shares: dict[int, float] = {}
    for edge in tree.edges:
        shares[edge.source] = max(shares.get(edge.source, 0.0), edge.share)
    return shares


def _add_links(drawing: Drawing, tree: FeederTree, places: Sequence[_Place], root_y: float) -> None:
    """Add a link of three straight parts for each edge, as wide as its share. Links to different nodes turn at different places."""
    ranks, largest = _ranks(tree, places), max((edge.share for edge in tree.edges), default=1.0) or 1.0
    for edge in sorted(tree.edges, key=lambda edge: edge.share):
        source = places[edge.source]
        if edge.to < 0:
            start_x, start_y, turn = _EDGE + _ROOT - _LINK / 2, root_y, source.x - _LINK / 4
        else:
            start_x, start_y = places[edge.to].x + places[edge.to].width, places[edge.to].middle
            turn = start_x + _LINK * (0.15 + 0.7 * ranks[edge.to])
        thick = max(1.0, _WIDEST * edge.share / largest)
        top, bottom = sorted((start_y, source.middle))
        drawing.add(
            Rectangle(min(start_x, turn), start_y - thick / 2, abs(turn - start_x) + thick / 2, thick, "soft"),
            Rectangle(turn - thick / 2, top - thick / 2, thick, bottom - top + thick, "soft"),
            Rectangle(min(turn, source.x), source.middle - thick / 2, abs(source.x - turn), thick, "soft"),
        )


def _ranks(tree: FeederTree, places: Sequence[_Place]) -> dict[int, float]:
    """Return the rank of each node from the top of its column, from 0 to 1."""
    ranks = {}
    for depth in range(len(tree.layers)):
        column = sorted((number for number, node in enumerate(tree.nodes) if node.depth == depth), key=lambda number: places[number].y)
        ranks.update({number: (row + 0.5) / len(column) for row, number in enumerate(column)})
    return ranks


def _add_root(drawing: Drawing, root: str, y: float) -> None:
    """Add the class, on as many lines as it needs."""
    lines = wrap(root, 14, _ROOT - _LINK / 2 - 8)
    top = y - 9 * len(lines)
    drawing.add(Text(_EDGE, top - 6, "class", 11, "quiet"))
    for number, line in enumerate(lines):
        drawing.add(Text(_EDGE, top + 12 + 18 * number, line, 14, strong=True))


def _add_node(drawing: Drawing, node: FeederNode, place: _Place, pictures: NodePictures | None, share: float | None) -> None:
    name = f"{node.layer} {node.unit}"
    drawing.add(Text(place.x, place.y + 12, name, 12, strong=True))
    if share is not None:
        drawing.add(Text(place.x + text_width(name, 12, strong=True) + 6, place.y + 12, format_percent(share), 12, "quiet"))
    if pictures is None:
        drawing.add(Rectangle(place.x, place.y + _LABEL, place.side, place.side, "line", 1))
        return
    shown = [pictures.patches] if pictures.projections is None else [pictures.projections, pictures.patches]
    for number, pixels in enumerate(shown):
        photograph = pixels is pictures.patches
        drawing.add(Raster(place.x + number * (place.side + 2), place.y + _LABEL, place.side, place.side, pixels, photograph, name))
