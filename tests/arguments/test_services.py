"""The arguments of services, indexes and widgets, with values of the wrong kind."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

import deconvwidgets as dw
from deconvwidgets.instruments.contributions.records import ContributionsRequest
from deconvwidgets.instruments.diagnosis.panel_records import ShiftRequest
from deconvwidgets.instruments.diagnosis.records import SuggestedSurgery
from deconvwidgets.instruments.evaluation.settings import PhotographsRequest
from deconvwidgets.instruments.occlusion.records import MapsSettings, OcclusionRequest
from deconvwidgets.instruments.transfer.records import TestsRequest
from deconvwidgets.records.mosaics import MosaicRequest
from deconvwidgets.service.worker import SynchronousExecutor
from tests.arguments.checking import BUNDLE, LAYERS, PAIR, PHOTOGRAPHS, RULES, Case, check
from tests.arguments.hostile_values import REFUSED, SKIPPED, Kind, boolean, choice, location, nothing, optional, real, whole, wholes
from tests.arguments.test_functions import names_of_layers

pytestmark = pytest.mark.slow


REQUEST = OcclusionRequest("crop:0", "conv1", 1)
WHY = ContributionsRequest("crop:0", "conv2", target=0)


def indexed(value: Any) -> Any:
    return value if isinstance(value, str) and value in ("1", "3") else REFUSED


def text(value: Any) -> Any:
    return value if isinstance(value, str) else REFUSED


def some_sources(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        return REFUSED
    return value if not value else wholes((1,), (2,), high=15)(value)


def some_units(value: Any) -> Any:
    return wholes((1,), (2,), high=4)(value) if isinstance(value, list | tuple) and value else REFUSED


def with_other_head(service: dw.LocalModelService, head: Any) -> str | None:
    service.set_head(head)
    classifier = service._context.snapshot.bundle.classifier
    service.reset_head()
    return classifier


def with_other_units(service: dw.LocalModelService, units: Any) -> Any:
    service.set_units(units)
    found = dict(service.units)
    service.reset_units()
    return found


def wait_for_started_arm(service: dw.LocalModelService, arguments: dict[str, Any]) -> Any:
    """Wait for an arm. The cases of other heads and units before this one have reset the arms."""
    service.diagnosis.start()
    service.diagnosis.wait()
    return service.diagnosis.wait_for_arm(**arguments)


def no_units(value: Any) -> Any:
    return value if isinstance(value, dict) and not value else REFUSED


def make_service(**arguments: Any) -> str:
    service = dw.LocalModelService(**arguments)
    service.close()
    return service.overview().model


def with_field(record: Any, name: str) -> Callable[[Any], Any]:
    return lambda value: dataclasses.replace(record, **{name: value})


AVERAGE = SuggestedSurgery("average pooling", "swap_pooling", {"to": "average"})
METHOD_CASES: dict[str, tuple[Callable[[Any], Callable[..., Any]], dict[str, Any], dict[str, Kind]]] = {
    "service.wait": (lambda service: lambda timeout: service.wait(timeout).overview().version, {}, {"timeout": optional(real(low=0))}),
    "service.set_head": (lambda service: lambda head: with_other_head(service, head), {}, {"head": optional(nothing)}),
    "service.set_units": (lambda service: lambda units: with_other_units(service, units), {}, {"units": optional(no_units)}),
    "service.set_units(factor)": (
        lambda service: lambda factor: with_other_units(service, {("conv1", 1): factor}), {}, {"factor": real()}
    ),
    "service.change_units": (lambda service: service.change_units, {}, {"units": no_units}),
    "service.save_units": (lambda service: lambda path: service.save_units(path).name != "", {}, {"path": location}),
    "dw.LocalModelService": (
        lambda service: make_service,
        {"bundle": BUNDLE, "images": PHOTOGRAPHS, "device": "cpu", "worker": SynchronousExecutor()},
        {"bundle": nothing, "images": nothing, "index": optional(nothing), "device": choice("auto", "cpu"), "worker": optional(nothing),
         "layers": optional(names_of_layers)},
    ),
    "layers.unit_table": (lambda service: service.layers.unit_table, {}, {"layer": indexed}),
    "layers.unit_detail": (
        lambda service: service.layers.unit_detail, {"layer": "conv1", "unit": 0}, {"layer": indexed, "unit": whole(0, 3)}
    ),
    "layers.top_activations": (
        lambda service: service.layers.top_activations,
        {"layer": "conv1", "unit": 0},
        {"layer": indexed, "unit": whole(0, 3), "rule": RULES, "contrast": choice("tile", "shared"), "tile": whole(8, 512)},
    ),
    "layers.source": (
        lambda service: service.layers.source,
        {"layer": "conv1", "unit": 0, "rank": 0},
        {"layer": indexed, "unit": whole(0, 3), "rank": whole(0, 8), "size": whole(16, 4096)},
    ),
    "layers.on_crop": (
        lambda service: service.layers.on_crop,
        {"layer": "conv1", "unit": 0, "crop": 0},
        {"layer": indexed, "unit": whole(0, 3), "crop": whole(0, len(PHOTOGRAPHS) - 1), "size": whole(16, 4096)},
    ),
    "layers.mosaics": (lambda service: service.layers.mosaics, {}, {"request": nothing}),
    "layers.mosaics(parts)": (
        lambda service: lambda parts: service.layers.mosaics(MosaicRequest("conv1", 0, parts=parts)), {}, {"parts": nothing}
    ),
    "layers.figure": (lambda service: service.layers.figure, {"kind": "layer.svg", "state": {}}, {"kind": nothing}),
    "occlusion.unit_maps": (lambda service: service.occlusion.unit_maps, {"request": REQUEST, "units": [0]}, {
        "request": nothing, "units": some_units,
    }),
    "occlusion.scene": (lambda service: service.occlusion.scene, {}, {"request": nothing}),
    **{
        f"occlusion.scene({name})": (
            lambda service, name=name: lambda **value: service.occlusion.scene(with_field(REQUEST, name)(value[name])), {}, {name: kind}
        )
        for name, kind in {
            "image": nothing, "layer": optional(LAYERS), "unit": optional(whole(0, 3)), "target": optional(whole(0, 2)), "fill": nothing,
        }.items()
    },
    "occlusion.answer": (lambda service: service.occlusion.answer, {"request": REQUEST, "boxes": [(0, 0, 3, 3)]}, {
        "request": nothing, "boxes": lambda value: value if isinstance(value, list | tuple) and not value else REFUSED,
    }),
    "occlusion.start_maps": (lambda service: service.occlusion.start_maps, {"request": REQUEST, "settings": MapsSettings((8, 8), (8, 8))}, {
        "settings": nothing,
    }),
    **{
        f"occlusion.start_maps({name})": (
            lambda service, name=name: lambda **value: service.occlusion.wait(
                service.occlusion.start_maps(REQUEST, with_field(MapsSettings((8, 8), (8, 8)), name)(value[name]))
            ),
            {},
            {name: kind},
        )
        for name, kind in {"window": PAIR, "stride": wholes((), (2,), low=1, high=1000), "border": choice("inside", "same")}.items()
    },
    "transfer.results": (lambda service: service.transfer.results, {}, {"run": whole(1, 1)}),
    "occlusion.wait": (lambda service: service.occlusion.wait, {"run": 1}, {"timeout": optional(real(low=0))}),
    "occlusion.images": (
        lambda service: service.occlusion.images,
        {"start": 0, "count": 2},
        {"start": whole(0), "count": whole(1, 100), "query": text, "size": whole(16, 1024)},
    ),
    "occlusion.projections": (lambda service: service.occlusion.projections, {"request": REQUEST}, {"size": whole(16, 1024)}),
    "occlusion.add_chunk": (lambda service: service.occlusion.add_chunk, {"upload": "x", "offset": 0, "data": b""}, {"upload": nothing}),
    "transfer.thumbnails": (
        lambda service: service.transfer.thumbnails,
        {"run": 1, "sources": [0]},
        {"sources": some_sources, "size": whole(16, 1024)},
    ),
    "contributions.contributions": (lambda service: service.contributions.contributions, {}, {"request": nothing}),
    **{
        f"contributions.contributions({name})": (
            lambda service, name=name: lambda **value: service.contributions.contributions(with_field(WHY, name)(value[name])),
            {},
            {name: kind},
        )
        for name, kind in {
            "image": nothing, "layer": optional(LAYERS), "target": optional(whole(0, 2)), "against": optional(whole(1, 2)),
            "method": choice("auto", "weight", "gradient", "switch-off"), "baseline": optional(nothing), "top": whole(1, 200),
            "unchanged": boolean,
        }.items()
    },
    "contributions.deletion": (lambda service: service.contributions.deletion, {"request": WHY}, {
        "request": nothing, "timeout": optional(real(low=0)),
    }),
    "contributions.class_contributions": (
        lambda service: service.contributions.class_contributions, {"layer": "conv1", "target": 0}, {"layer": LAYERS, "target": whole(0, 2)}
    ),
    "contributions.unit_classes": (
        lambda service: service.contributions.unit_classes,
        {"layer": "conv2", "unit": 0},
        {"layer": choice("3", "conv2"), "unit": whole(0, 4)},
    ),
    "contributions.feeders": (
        lambda service: service.contributions.feeders, {"layer": "conv2", "unit": 0}, {"layer": choice("3", "conv2"), "unit": whole(0, 4)}
    ),
    "contributions.tree": (lambda service: service.contributions.tree, {"layer": "conv2", "units": [0]}, {
        "layer": LAYERS, "units": some_units, "depth": whole(1, 16), "breadth": whole(1, 12),
    }),
    "contributions.class_tree": (lambda service: service.contributions.class_tree, {"request": WHY}, {
        "request": nothing, "depth": whole(1, 16), "breadth": whole(1, 12),
    }),
    "contributions.tree_file": (
        lambda service: service.contributions.tree_file,
        {"kind": "tree.svg", "layer": "conv2", "unit": 0, "depth": 1, "breadth": 1},
        {"kind": nothing, "layer": LAYERS, "unit": whole(0, 4), "depth": whole(1, 16), "breadth": whole(1, 12)},
    ),
    "contributions.label_of": (lambda service: service.contributions.label_of, {}, {"image": nothing}),
    "contributions.file": (lambda service: service.contributions.file, {"kind": "contributions.csv", "request": WHY}, {
        "kind": nothing, "request": nothing,
    }),
    "transfer.solve_again": (
        lambda service: service.transfer.solve_again,
        {"units": {"conv2": [1]}},
        # Each call is another run.
        {"units": nothing, "run": lambda value: SKIPPED if value is None or whole(1)(value) is not REFUSED else REFUSED},
    ),
    "transfer.muting": (lambda service: service.transfer.muting, {}, {"run": nothing}),
    "transfer.steps": (lambda service: service.transfer.steps, {"run": 1}, {"since": whole(0)}),
    "transfer.photograph": (lambda service: service.transfer.photograph, {"run": 1, "source": 0}, {"source": whole(0, 15)}),
    "transfer.photographs": (lambda service: service.transfer.photographs, {"run": 1, "request": TestsRequest()}, {"request": nothing}),
    "diagnosis.filters": (lambda service: lambda **arguments: service.diagnosis.filters(**arguments).tile, {}, {"tile": whole(8, 256)}),
    "diagnosis.spectrum": (
        lambda service: lambda **arguments: service.diagnosis.spectrum(**arguments).values, {"unit": 0}, {"unit": whole(0, 3)}
    ),
    "diagnosis.photograph": (lambda service: service.diagnosis.photograph, {"image": "crop:0"}, {"image": nothing}),
    "diagnosis.neighbour": (lambda service: service.diagnosis.neighbour, {"image": "crop:0"}, {"image": nothing, "step": whole()}),
    "diagnosis.shifted": (lambda service: service.diagnosis.shifted, {"request": ShiftRequest("crop:0")}, {"request": nothing}),
    "diagnosis.add_arm": (
        lambda service: lambda **arguments: service.diagnosis.remove_arm(service.diagnosis.add_arm(**arguments)), {"surgery": AVERAGE},
        {"surgery": nothing, "parent": whole(0, 0)},
    ),
    "diagnosis.remove_arm": (lambda service: service.diagnosis.remove_arm, {"arm": 0}, {"arm": nothing}),
    "diagnosis.wait_for_arm": (
        lambda service: lambda **arguments: wait_for_started_arm(service, arguments), {"arm": 0},
        {"arm": whole(0, 0), "timeout": optional(real(low=0))},
    ),
    "diagnosis.wait": (
        lambda service: lambda **arguments: len(service.diagnosis.wait(**arguments).findings), {}, {"timeout": optional(real(low=0))}
    ),
    "diagnosis.file": (lambda service: service.diagnosis.file, {"kind": "curves.csv"}, {"kind": nothing}),
    "evaluation.results": (lambda service: service.evaluation.results, {}, {"run": whole(1, 1)}),
    "evaluation.wait": (lambda service: service.evaluation.wait, {"run": 1}, {"timeout": optional(real(low=0))}),
    "evaluation.photographs": (
        lambda service: service.evaluation.photographs, {"run": 1, "request": PhotographsRequest()}, {"request": nothing}
    ),
    "evaluation.thumbnails": (
        lambda service: service.evaluation.thumbnails,
        {"run": 1, "sources": [0]},
        {"sources": some_sources, "size": whole(16, 1024)},
    ),
    "evaluation.classes": (lambda service: service.evaluation.classes, {"query": "a"}, {"query": text, "limit": whole(1, 1000)}),
    "evaluation.file": (lambda service: service.evaluation.file, {"run": 1}, {"kind": nothing}),
    "evaluation.start": (lambda service: service.evaluation.start, {}, {"settings": nothing}),
    "evaluation.data": (lambda service: service.evaluation.data, {}, {"settings": nothing}),
    "transfer.wait": (lambda service: service.transfer.wait, {"run": 1}, {"timeout": optional(real(low=0))}),
}  # fmt: skip


@pytest.mark.parametrize(("method", "argument"), [(name, key) for name, (_, _, kinds) in METHOD_CASES.items() for key in kinds])
def test_methods(service, method, argument):
    make, valid, kinds = METHOD_CASES[method]
    check(Case(make(service), valid, kinds), argument)
