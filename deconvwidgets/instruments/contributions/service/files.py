"""The files of contributions: a table, and the tree from a class down to the edges with the top activations of its units."""

from __future__ import annotations

from dataclasses import replace

from deconvwidgets.display import decode_image
from deconvwidgets.errors import RuleError, ServiceError
from deconvwidgets.instruments.contributions.feeders import FeederTree
from deconvwidgets.instruments.contributions.figures.files import DRAWINGS, contributions_csv
from deconvwidgets.instruments.contributions.figures.tree_drawing import NodePictures, tree_drawing
from deconvwidgets.instruments.contributions.records import ContributionsFile
from deconvwidgets.instruments.contributions.unit_contributions import UnitContributions
from deconvwidgets.records.mosaics import MosaicRequest
from deconvwidgets.records.overview import Overview
from deconvwidgets.service.context import ServiceContext

KINDS = ("contributions.csv", *DRAWINGS)
_TILE = 48


def require_kind(kind: object) -> ContributionsFile:
    """Return the name of a kind of file. Raises ServiceError for anything else."""
    if not isinstance(kind, str) or kind not in KINDS:
        raise ServiceError(f"There is no file {kind!r}; choose one of {', '.join(KINDS)}.")
    return kind  # type: ignore[return-value]


def table_file(found: UnitContributions) -> bytes:
    """Return the contributions of all units as CSV."""
    return contributions_csv(found)


def tree_file(kind: ContributionsFile, tree: FeederTree, context: ServiceContext) -> bytes:
    """Return a tree as PNG, SVG or PDF. Raises ServiceError while the index of one of its layers is built."""
    pictures = {(node.layer, node.unit): _pictures(context, node.layer, node.unit) for node in tree.nodes}
    overview = context.overview()
    drawing = tree_drawing(tree, pictures, _title(tree, overview), _caption(tree, overview))
    return DRAWINGS[kind](drawing, tree.root or tree.layers[0])


def _pictures(context: ServiceContext, layer: str, unit: int) -> NodePictures:
    snapshot, index, info = context.index.require(layer)
    request = MosaicRequest(info.name, unit, tile=_TILE, parts=("patches",))
    (patches,) = context.mosaics.mosaics(snapshot, index, request)
    try:
        (projections,) = context.mosaics.mosaics(snapshot, index, replace(request, parts=("projections",)))
    except RuleError:  # the figure shows patches alone
        return NodePictures(decode_image(patches.data))
    return NodePictures(decode_image(patches.data), decode_image(projections.data))


def _title(tree: FeederTree, overview: Overview) -> str:
    first = tree.root or f"{tree.nodes[0].layer} unit {tree.nodes[0].unit}"
    return f"{overview.label} · {first} · {' ← '.join(tree.layers)}"


def _caption(tree: FeederTree, overview: Overview) -> str:
    start = "Left: the units with the largest contributions to the answer, and their share of all positive ones. " if tree.root else ""
    return (
        f"{start}To the right of each unit: those that feed it most at its strongest activations, and their share of all positive terms of "
        f"its sum. Of each unit: projections and patches of its {overview.k} strongest activations out of {overview.photographs:,} "
        f"photographs ({overview.images}). Weights: {overview.weights.rstrip('.')}."
    )
