"""The requests about contributions of units of the widgets that show them: values as JSON, arrays as buffers (little-endian).

A reply is {"pending": {"done", "total"}} while it is being computed: the same request is answered after the event "contributions".
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from deconvwidgets.arguments import integer, one_of
from deconvwidgets.errors import ServiceError
from deconvwidgets.instruments.contributions.feeders import FeederTree
from deconvwidgets.instruments.contributions.records import ContributionsRequest, Pending, PhotographContributions
from deconvwidgets.instruments.contributions.service.protocol import ContributionsService, SupportsContributions
from deconvwidgets.records.class_names import class_index
from deconvwidgets.widgets.files import mime_type
from deconvwidgets.widgets.messages import Content, Handler, Handlers, Reply, Request

EVENTS = frozenset({"contributions"})
_METHODS = ("auto", "weight", "gradient", "switch-off")
_CURVE_ORDERS = ("contribution", "activation", "random")


def contributions_of(service: Any) -> ContributionsService:
    """Return what answers requests about contributions. Raises ServiceError if the service does not support them."""
    if not isinstance(service, SupportsContributions):
        raise ServiceError(f"A {type(service).__name__} computes no contributions of units: use a dw.LocalModelService.")
    return service.contributions


def _contributions(service: Any, request: Request) -> Reply:
    """Return the contributions to the answer for one photograph."""
    found = contributions_of(service).contributions(_photograph_request(request))
    return (_pending(found), []) if isinstance(found, Pending) else (_photograph_content(found), [])


def _photograph_content(found: PhotographContributions) -> Content:
    return {
        **{name: getattr(found, name) for name in ("method", "exact", "closes", "predicted", "label", "note")},
        "request": asdict(found.request),
        "units": len(found.values),
        "top": [asdict(unit) for unit in found.top],
        "bottom": [asdict(unit) for unit in found.bottom],
        "ledger": asdict(found.ledger),
    }


def _deletion(service: Any, request: Request) -> Reply:
    """Return how the answer for a photograph changes as units are switched off in three orders."""
    curve = contributions_of(service).deletion(_photograph_request(request))
    if isinstance(curve, Pending):
        return _pending(curve), []
    orders = {name: [float(score) for score in curve.scores[name]] for name in _CURVE_ORDERS}  # type: ignore[index]
    turns = {name: list(curve.turns[name]) for name in _CURVE_ORDERS}  # type: ignore[index]
    return {"counts": [int(count) for count in curve.counts], "scores": orders, "turns": turns, "areas": dict(curve.areas)}, []


def _class_contributions(service: Any, request: Request) -> Reply:
    """Buffer: float32 (units,), the mean contribution of every unit of a layer to a class."""
    found = contributions_of(service).class_contributions(request.text("layer"), _class(service, request))
    if isinstance(found, Pending):
        return _pending(found), []
    content = {name: getattr(found, name) for name in ("layer", "target", "name", "method", "exact", "over", "photographs")}
    return content, [found.values.astype("<f4").tobytes()]


def _unit_classes(service: Any, request: Request) -> Reply:
    """Return the classes that a unit contributes to and against."""
    found = contributions_of(service).unit_classes(request.text("layer"), request.integer("unit"))
    if isinstance(found, Pending):
        return _pending(found), []
    listed = {"for": found.strongest(4), "against": found.weakest(4)}
    names = {key: [[found.categories[label], value] for label, value in classes] for key, classes in listed.items()}
    return {**names, "method": found.method, "photographs": found.photographs, "over": found.over}, []


def _tree(service: Any, request: Request) -> Reply:
    """Return what feeds units of a layer."""
    units = [integer(unit, "unit") for unit in request.sequence("units")]
    depth, breadth = request.integer("depth"), request.integer("breadth")
    tree = contributions_of(service).tree(request.text("layer"), units, depth, breadth)
    return (_pending(tree), []) if isinstance(tree, Pending) else (_tree_content(tree), [])


def _tree_content(tree: FeederTree) -> Content:
    nodes, edges = [asdict(node) for node in tree.nodes], [asdict(edge) for edge in tree.edges]
    return {"root": tree.root, "layers": list(tree.layers), "nodes": nodes, "edges": edges, "notes": list(tree.notes)}


def _tree_file(service: Any, request: Request) -> Reply:
    """Buffer: the tree of what feeds a unit, as a file."""
    kind: Any = request.text("file")  # the service checks it
    numbers = (request.integer(key) for key in ("unit", "depth", "breadth"))
    data = contributions_of(service).tree_file(kind, request.text("layer"), *numbers)
    return {"mime": mime_type(kind)}, [data]


def _file(service: Any, request: Request) -> Reply:
    """Buffer: the file."""
    kind: Any = request.text("file")  # the service checks it
    data = contributions_of(service).file(kind, _photograph_request(request))
    return {"mime": mime_type(kind)}, [data]


def _photograph_request(request: Request) -> ContributionsRequest:
    values = request.mapping("request")
    image, layer, baseline = values.get("image"), values.get("layer"), values.get("baseline")
    if not isinstance(image, str) or not (layer is None or isinstance(layer, str)):
        raise ServiceError(f"The request {request.kind!r} needs an image and a layer by their names, not {image!r} and {layer!r}.")
    method = values.get("method", "auto")
    one_of(method, "method", _METHODS)
    if baseline is not None:
        one_of(baseline, "baseline", ("mean",))
    target, against = (_optional(values.get(key), key) for key in ("target", "against"))
    top, unchanged = integer(values.get("top", 6), "top"), values.get("unchanged") is True
    return ContributionsRequest(image, layer, target, against, method, baseline, top, unchanged)


def _optional(value: object, name: str) -> int | None:
    return None if value is None else integer(value, name)


def _class(service: Any, request: Request) -> int:
    """Return a class that is requested by its number or its name."""
    target = request.get("target")
    if not isinstance(target, str):
        return request.integer("target")
    return class_index(target, contributions_of(service).classes(), service.overview().model, "")


def _classes(service: Any, request: Request) -> Reply:
    """Return the names of all classes; of a model that predicts none, []."""
    return {"classes": list(contributions_of(service).classes())}, []


def _pending(pending: Pending) -> Content:
    return {"pending": asdict(pending)}


HANDLERS: Handlers = {
    "contributions": Handler(_contributions),
    "deletion": Handler(_deletion),
    "class_contributions": Handler(_class_contributions),
    "unit_classes": Handler(_unit_classes),
    "classes": Handler(_classes),
    "tree": Handler(_tree),
    "tree_file": Handler(_tree_file, "worker"),
    "contributions_file": Handler(_file, "worker"),
}
