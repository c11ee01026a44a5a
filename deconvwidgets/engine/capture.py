"""Feature maps of many layers in one forward pass that stops at the deepest one asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, fx, nn

from deconvwidgets.engine.graph import Graph
from deconvwidgets.engine.tracing import run_nodes
from deconvwidgets.errors import LayerError

Visit = Callable[[str, Tensor], None]


def visit_graph(graph: Graph, batch: Tensor, targets: Mapping[str, fx.Node], visit: Visit) -> None:
    """Run the followed model on `batch` (N, C, H, W) and show each target's map to `visit` the moment it is computed: a later in-place
    operation may overwrite it."""
    names: dict[fx.Node, list[str]] = {}
    for name, node in targets.items():
        names.setdefault(node, []).append(name)
    nodes = [operation.node for operation in graph.ancestors(targets.values())]
    for node, value in run_nodes(nodes, graph.modules, graph.source, batch):
        for name in names.get(node, ()):
            visit(name, value)


class _Enough(Exception):  # noqa: N818 - control flow: every layer has been seen, the rest of the forward pass is not needed
    pass


def visit_modules(model: nn.Module, batch: Tensor, calls: Mapping[str, tuple[str, int]], visit: Visit) -> None:
    """The same for a model that cannot be followed: `calls` maps each name to (module name, which call of it, from 1).

    Raises LayerError for a module that the forward pass never called, or not that often.
    """
    waiting = {call: name for name, call in calls.items()}
    count: dict[str, int] = {}
    modules = dict(model.named_modules())

    def watch(module_name: str) -> Callable[[nn.Module, Any, Any], None]:
        def seen(module: nn.Module, args: Any, output: Any) -> None:
            count[module_name] = number = count.get(module_name, 0) + 1
            name = waiting.pop((module_name, number), None)
            if name is not None:
                if not isinstance(output, Tensor):
                    raise LayerError(f"Layer '{name}' does not give one tensor but {type(output).__name__}; choose one of its parts.")
                visit(name, output)
            if not waiting:
                raise _Enough

        return seen

    handles = [modules[module_name].register_forward_hook(watch(module_name)) for module_name in {call[0] for call in waiting}]
    try:
        model(batch)
    except _Enough:
        pass
    finally:
        for handle in handles:
            handle.remove()
    if waiting:
        raise LayerError(f"The forward pass never reached {', '.join(sorted(waiting.values()))}.")
