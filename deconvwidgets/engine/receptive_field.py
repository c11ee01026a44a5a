"""What a unit needs: interval arithmetic down the graph, for rows and columns apart.

At every operation below a layer, the unit at position p needs the span [step * p + start, step * p + start + size) of that operation's
map. Step, start and size do not depend on p, so that the crops of all positions have one size and run as one batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import fx

from deconvwidgets.engine.graph import Graph
from deconvwidgets.engine.windows import Window
from deconvwidgets.errors import GraphError


@dataclass(frozen=True, slots=True)
class Span:
    """The half-open interval [step * p + start, step * p + start + size) along one axis, p the position asked for."""

    step: int
    start: int
    size: int

    def below(self, window: Window, axis: int) -> Span:
        """What a windowed operation reads to produce this span."""
        stride, reach = window.stride[axis], window.dilation[axis] * (window.kernel[axis] - 1) + 1
        return Span(self.step * stride, self.start * stride - window.before[axis], (self.size - 1) * stride + reach)

    def above(self, window: Window, axis: int) -> Span:
        """As a receptive field: what one output of a windowed operation sees, where one of its inputs sees this span."""
        reach = window.dilation[axis] * (window.kernel[axis] - 1)
        return Span(self.step * window.stride[axis], self.start - window.before[axis] * self.step, self.size + reach * self.step)

    def union(self, other: Span) -> Span:
        """The smallest span that holds both."""
        if self.step != other.step:
            raise GraphError("Two branches that meet have different strides.")
        start = min(self.start, other.start)
        end = max(self.start + self.size, other.start + other.size)
        return Span(self.step, start, end - start)


Region = tuple[Span, Span]  # rows, columns


def region_below(region: Region, window: Window) -> Region:
    """What a windowed operation reads to produce this region."""
    return (region[0].below(window, 0), region[1].below(window, 1))


def receptive_fields(graph: Graph) -> dict[fx.Node, Region]:
    """The region of the input that one position of each map sees; absent where it is the whole image or unknown."""
    fields: dict[fx.Node, Region] = {graph.source: (Span(1, 0, 1), Span(1, 0, 1))}
    for node, operation in graph.operations.items():
        moving = [feeder for feeder in node.all_input_nodes if graph.operations[feeder].kind != "constant"]
        if operation.kind not in ("window", "pointwise") or any(feeder not in fields for feeder in moving):
            continue
        rows, columns = fields[moving[0]]
        for feeder in moving[1:]:
            rows, columns = rows.union(fields[feeder][0]), columns.union(fields[feeder][1])
        window = operation.window
        fields[node] = (rows, columns) if window is None else (rows.above(window, 0), columns.above(window, 1))
    return fields


def demand(graph: Graph, target: fx.Node) -> Mapping[fx.Node, Region] | None:
    """The region of every operation's map that one position of `target` needs, the input's included.

    None where an operation between the input and the target sees the whole image.
    """
    below = graph.ancestors([target])
    moving = {operation.node for operation in below if operation.kind != "constant"}
    if any(operation.kind == "whole" for operation in below) or graph.source not in moving:
        return None
    regions: dict[fx.Node, Region] = {target: (Span(1, 0, 1), Span(1, 0, 1))}
    for operation in reversed(below):
        if operation.kind not in ("window", "pointwise") or operation.node not in regions:
            continue
        region = regions[operation.node]
        needed = region if operation.window is None else region_below(region, operation.window)
        for feeder in operation.node.all_input_nodes:
            if feeder in moving:
                old = regions.get(feeder)
                regions[feeder] = needed if old is None else (old[0].union(needed[0]), old[1].union(needed[1]))
    return regions
