"""Other pooling in the place of a network's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import fx, nn

from deconvwidgets.arguments import one_of
from deconvwidgets.engine.graph import Graph
from deconvwidgets.engine.windows import Pair, pair
from deconvwidgets.errors import LayerError, ModelError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.surgery.modules import BlurPool2d, PoolingKind, in_evaluation
from deconvwidgets.models.surgery.operation import Change, operable, operated
from deconvwidgets.models.surgery.sites import calls_of, checked_layers, modules_at, node_of, short_name

_POOLING = (nn.MaxPool2d, nn.AvgPool2d, BlurPool2d)
_WORDS = {"blur": "blurred pooling", "average": "average pooling", "max": "max pooling"}


def swap_pooling(bundle: ModelBundle, layers: str | Sequence[str] | None = None, to: str = "blur") -> ModelBundle:
    """Return a new bundle with other pooling. Maps keep their sizes and their grid, and no parameter changes.

    "blur" is pooling at every position, then blurring with a triangle of 2 * stride - 1 positions before the subsampling (for a stride of
    2, [1, 2, 1] / 4), after Zhang 2019: the map of a shifted image is closer to the shifted map. It is our extension; Zeiler & Fergus
    2014, section 4.1, remove aliasing by a smaller stride.

    Parameters
    ----------
    bundle : ModelBundle
        The network. It is not changed.
    layers : str or sequence of str, optional
        Pooling layers, such as "pool1". By default, all with a stride of more than 1, except those that return a single position (global
        pooling).
    to : {"blur", "average", "max"}
        "blur" keeps what is pooled (maxima, or averages), "average" and "max" replace it and remove blurring.

    Returns
    -------
    ModelBundle
        With one more step in `surgery`.

    Raises
    ------
    LayerError
        If a layer does not exist, is not the output of a pooling module, or there is nothing to swap: it is such pooling already, or is
        to be blurred and does not subsample.
    ModelError
        If the model cannot be traced, `to` is unknown, or the new model does not run.

    Examples
    --------
    >>> import deconvwidgets as dw
    >>> blurred = dw.surgery.swap_pooling(dw.load_model("alexnet", weights=None))
    >>> blurred.label
    'alexnet (random weights, blurred pooling)'
    >>> blurred.surgery[0].arguments
    {'layers': ['pool1', 'pool2', 'pool5'], 'to': 'blur'}
    """
    bundle, base, graph = operable(bundle)
    one_of(to, "to", tuple(_WORDS), ModelError)
    sites = _all_sites(base, graph, to) if layers is None else _sites(base, graph, checked_layers(base, layers), to)
    _check_calls(base, graph, sites)
    modules: dict[str, nn.Module] = {site.path: _swapped(base, site, to) for site in sites}
    order = list(graph.operations)
    swapped = list(dict.fromkeys(site.name for site in sorted(sites, key=lambda site: order.index(site.node))))
    what = _WORDS[to].capitalize()
    description = f"{what} in {', '.join(swapped)}" + (
        ": pooled at every position, blurred, then subsampled with the old stride (Zhang 2019)." if to == "blur" else "."
    )
    return operated(bundle, Change(modules, keeps_sizes=True), "swap_pooling", _WORDS[to], description, {"layers": swapped, "to": to})


@dataclass(frozen=True, slots=True)
class _Site:
    """One call of a pooling module: its output, its dotted name, the module, and the name of its layer."""

    node: fx.Node
    path: str
    module: nn.Module
    name: str


def _site(base: ModelBundle, graph: Graph, node: fx.Node) -> _Site | None:
    found = modules_at(graph, base.model, node, _POOLING)
    return _Site(node, *found[0], short_name(base, graph, node)) if found else None


def _sites(base: ModelBundle, graph: Graph, layers: Sequence[str], to: str) -> list[_Site]:
    sites = []
    for layer in layers:
        site = _site(base, graph, node_of(base, layer))
        if site is None:
            raise LayerError(_not_pooling(base, layer))
        if _kind(site.module) == to:
            raise LayerError(f"{site.name} of {base.name} is {_WORDS[to]} already: nothing would change.")
        if to == "blur" and not _subsamples(graph, site.node, _stride(site.module)):
            why = "has stride 1" if _stride(site.module) == (1, 1) else "returns a single position"
            raise LayerError(f"{site.name} of {base.name} {why}: nothing is subsampled, so there is nothing to blur.")
        sites.append(site)
    return sites


def _not_pooling(base: ModelBundle, layer: str) -> str:
    graph = base.network.graph
    assert graph is not None
    own = [info.short_name for info in base.network.layers if _site(base, graph, node_of(base, info.name))]
    known = f"choose of {', '.join(own)}" if own else "it has none"
    return f"{base.network.layer(layer).short_name} of {base.name} is not the output of a module nn.MaxPool2d or nn.AvgPool2d: {known}."


def _all_sites(base: ModelBundle, graph: Graph, to: str) -> list[_Site]:
    """Return all pooling that subsamples and is not as it should be."""
    sites: list[_Site] = []
    calls = set(graph.calls.values())
    for node, operation in graph.operations.items():
        site = _site(base, graph, node) if node in calls else None
        if site is not None and _subsamples(graph, node, _stride(site.module)) and _kind(site.module) != to:
            sites.append(site)
        window = graph.window_of(node) if operation.op.role == "pooling" else None
        pools = window is not None and _subsamples(graph, node, window.stride)
        if pools and operation.module_type not in ("MaxPool2d", "AvgPool2d", "BlurPool2d", "Blur") and "adaptive" not in operation.name:
            raise LayerError(
                f"{base.name} pools by {operation.name}{_in(operation.module)}, not by a module nn.MaxPool2d or nn.AvgPool2d, so it cannot "
                "be swapped: name the layers that can."
            )
    if not sites:
        raise LayerError(f"{base.name} has no pooling layers with a stride that could become {_WORDS[to]}: name layers if it has others.")
    return sites


def _stride(module: nn.Module) -> Pair:
    return pair(module.stride)  # type: ignore[arg-type]


def _subsamples(graph: Graph, node: fx.Node, stride: Pair) -> bool:
    """Return whether pooling with a stride subsamples. Global pooling does not: it returns a single position."""
    return stride != (1, 1) and (graph.operations[node].shape or ())[-2:] != (1, 1)


def _in(module: str) -> str:
    return f" in '{module}'" if module else ""


def _kind(module: nn.Module) -> str:
    return {nn.MaxPool2d: "max", nn.AvgPool2d: "average"}.get(type(module), "blur")


def _check_calls(base: ModelBundle, graph: Graph, sites: Sequence[_Site]) -> None:
    for site in sites:
        if calls_of(graph, base.model, site.module) != sum(other.module is site.module for other in sites):
            raise LayerError(
                f"The module '{site.path}' of {site.name} is called more than once, so it cannot be swapped in one place only."
            )


def _swapped(base: ModelBundle, site: _Site, to: str) -> nn.Module:
    """Return the module that replaces one."""
    module, name = site.module, site.name
    kind: PoolingKind = "average" if isinstance(module, nn.AvgPool2d) else getattr(module, "kind", "max")
    kernel, padding = pair(module.kernel_size), pair(module.padding)  # type: ignore[arg-type]
    stride = pair(module.stride) if module.stride else kernel  # type: ignore[arg-type]
    dilation, ceil_mode = pair(getattr(module, "dilation", 1)), bool(module.ceil_mode)
    counted = bool(getattr(module, "count_include_pad", False))
    if getattr(module, "return_indices", False) or getattr(module, "divisor_override", None) is not None:
        raise LayerError(f"{name} of {base.name} returns its switches, or has a divisor of its own, so it cannot be swapped.")
    if to == "average" and dilation != (1, 1):
        raise LayerError(f"{name} of {base.name} has a dilation of {dilation}, which average pooling cannot have.")
    if to == "blur":
        if kind == "average" and ceil_mode:
            raise LayerError(f"{name} of {base.name} averages windows that pass the border (ceil_mode), which cannot be blurred.")
        return BlurPool2d(kind, kernel, stride, padding, dilation, ceil_mode, counted)
    if to == "average":
        return in_evaluation(nn.AvgPool2d(kernel, stride, padding, ceil_mode, count_include_pad=counted))
    return in_evaluation(nn.MaxPool2d(kernel, stride, padding, dilation, ceil_mode=ceil_mode))
