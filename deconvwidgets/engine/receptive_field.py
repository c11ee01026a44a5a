"""Receptive fields: interval arithmetic on a graph, for rows and columns separately.

For every operation below a layer, the unit at position p depends on the interval [step * p + start, step * p + start + size) of the
operation's map. Step, start and size do not depend on p, so that the crops for all positions have one size and run as one batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import fx

from deconvwidgets.engine.graph import Graph
from deconvwidgets.engine.windows import Window
from deconvwidgets.errors import GraphError


@dataclass(frozen=True, slots=True)
class Interval:
    """The half-open interval [step * p + start, step * p + start + size) along one axis, as a function of the position p."""

    step: int
    start: int
    size: int

    def required_input(self, window: Window, axis: int) -> Interval:
        """Return the interval of the input that a windowed operation reads to compute this interval of its output."""
        stride, reach = window.stride[axis], window.dilation[axis] * (window.kernel[axis] - 1) + 1
        return Interval(self.step * stride, self.start * stride - window.before[axis], (self.size - 1) * stride + reach)

    def receptive_field_after(self, window: Window, axis: int) -> Interval:
        """Return the receptive field of the output of a windowed operation, given that of its input."""
        reach = window.dilation[axis] * (window.kernel[axis] - 1)
        return Interval(self.step * window.stride[axis], self.start - window.before[axis] * self.step, self.size + reach * self.step)

    def union(self, other: Interval) -> Interval:
        """Return the smallest interval that contains both. Raise GraphError if they differ in their step."""
        if self.step != other.step:
            raise GraphError(f"Branches with strides of {self.step} and {other.step} pixels have no common interval.")
        start = min(self.start, other.start)
        end = max(self.start + self.size, other.start + other.size)
        return Interval(self.step, start, end - start)


Region = tuple[Interval, Interval]  # rows, columns


def required_input(region: Region, window: Window) -> Region:
    """Return the region of the input that a windowed operation reads to compute this region of its output."""
    return (region[0].required_input(window, 0), region[1].required_input(window, 1))


def receptive_fields(graph: Graph) -> dict[fx.Node, Region]:
    """Return the receptive field of each map, as a region of the input.

    Maps whose positions depend on the whole image are absent, and those that join branches of different strides: no single interval
    describes what their positions depend on.
    """
    fields: dict[fx.Node, Region] = {graph.input_node: (Interval(1, 0, 1), Interval(1, 0, 1))}
    for node, operation in graph.operations.items():
        inputs = graph.varying_inputs(node)
        if operation.kind not in ("window", "pointwise") or any(input_node not in fields for input_node in inputs):
            continue
        rows, columns = fields[inputs[0]]
        if any((fields[input_node][0].step, fields[input_node][1].step) != (rows.step, columns.step) for input_node in inputs):
            continue
        for input_node in inputs[1:]:
            rows, columns = rows.union(fields[input_node][0]), columns.union(fields[input_node][1])
        window = operation.window
        fields[node] = (
            (rows, columns) if window is None else (rows.receptive_field_after(window, 0), columns.receptive_field_after(window, 1))
        )
    return fields


def required_regions(graph: Graph, target: fx.Node) -> Mapping[fx.Node, Region] | None:
    """Return the region of every map, the input included, that one position of `target` depends on.

    Return None if an operation between the input and the target depends on the whole image.
    """
    ancestors = graph.ancestors([target])
    dependent = {operation.node for operation in ancestors if operation.varies}
    if any(operation.kind == "whole" for operation in ancestors) or graph.input_node not in dependent:
        return None
    regions: dict[fx.Node, Region] = {target: (Interval(1, 0, 1), Interval(1, 0, 1))}
    for operation in reversed(ancestors):
        if operation.kind not in ("window", "pointwise") or operation.node not in regions:
            continue
        region = regions[operation.node]
        required = region if operation.window is None else required_input(region, operation.window)
        for input_node in operation.node.all_input_nodes:
            if input_node in dependent:
                known = regions.get(input_node)
                regions[input_node] = required if known is None else (known[0].union(required[0]), known[1].union(required[1]))
    return regions
