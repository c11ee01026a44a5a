"""Trees of feeders: from a class or a unit down to the edges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from deconvwidgets.errors import ActivationIndexError, ContributionError, LayerError
from deconvwidgets.instruments.contributions.feeders import FeederEdge, FeederNode, Feeders, FeederTree
from deconvwidgets.instruments.contributions.unit_contributions import UnitContributions

MAX_DEPTH, MAX_BREADTH = 16, 12


@dataclass(frozen=True, slots=True)
class Root:
    """A unit that a tree starts from; with a class, its contribution and its share of all positive contributions."""

    layer: str
    unit: int
    value: float = 0.0
    share: float = 0.0


@dataclass
class _Growing:
    """The nodes and edges so far."""

    nodes: list[FeederNode] = field(default_factory=list)
    edges: list[FeederEdge] = field(default_factory=list)
    numbers: dict[tuple[str, int], int] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)

    def add(self, layer: str, unit: int, depth: int) -> int:
        """Return the number of a node, which is added if it is new."""
        key = (layer, unit)
        if key not in self.numbers:
            self.numbers[key] = len(self.nodes)
            self.nodes.append(FeederNode(layer, unit, depth))
        return self.numbers[key]


def grow_tree(feeders: Callable[[str, int], Feeders], roots: Sequence[Root], name: str, depth: int, breadth: int) -> FeederTree:
    """Return what feeds some units, `depth` layers down, with the `breadth` strongest feeders of each.

    Parameters
    ----------
    feeders : callable
        Returns the feeders of a layer's unit. Where it raises an error of a layer or unit, the tree ends, and a note says why.
    roots : sequence of Root
    name : str
        The class; "" if the tree starts from units.
    """
    tree = _Growing()
    for root in roots:
        number = tree.add(root.layer, root.unit, 0)
        if name:
            tree.edges.append(FeederEdge(number, -1, root.value, root.share))
    layers, level = [roots[0].layer], [number for number, _ in enumerate(tree.nodes)]
    for deeper in range(1, depth + 1):
        found = _next_level(tree, feeders, level, deeper, breadth)
        level = [number for number in dict.fromkeys(found) if tree.nodes[number].depth == deeper]
        if not level:
            break
        layers.append(tree.nodes[level[0]].layer)
    return FeederTree(name, tuple(layers), tuple(tree.nodes), tuple(tree.edges), tuple(tree.notes))


def roots_of(contributions: UnitContributions, breadth: int) -> list[Root]:
    """Return the units with the largest contributions above zero. Raises ContributionError if there is none."""
    mean = contributions.mean
    positive = float(mean[mean > 0].sum())
    chosen = [unit for unit in contributions.ranking[:breadth].tolist() if mean[unit] > 0]
    if not chosen:
        raise ContributionError(f"No unit of {contributions.layer} contributes to {contributions.describe_target()}: there is no tree.")
    return [Root(contributions.layer, unit, float(mean[unit]), float(mean[unit]) / positive) for unit in chosen]


def _next_level(tree: _Growing, feeders: Callable[[str, int], Feeders], level: Sequence[int], depth: int, breadth: int) -> list[int]:
    """Add the feeders of some nodes, and return their numbers, the largest share first."""
    found: list[tuple[float, str, int, int, float]] = []
    for number in level:
        node = tree.nodes[number]
        try:
            known = feeders(node.layer, node.unit)
        except (LayerError, ContributionError, ActivationIndexError) as error:
            tree.notes[str(error)] = None
            continue
        if known.note:
            tree.notes[known.note] = None
        found += [(term.share, term.layer, term.unit, number, term.value) for term in known.strongest(breadth)]
    added = []
    for share, layer, unit, fed, value in sorted(found, key=lambda entry: -entry[0]):
        number = tree.add(layer, unit, depth)
        tree.edges.append(FeederEdge(number, fed, value, share))
        added.append(number)
    return added
