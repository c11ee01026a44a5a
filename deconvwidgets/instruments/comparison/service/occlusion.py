"""Two models on one photograph: their answers to the same patches, their maps, and the files of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deconvwidgets.arguments import describe, one_of
from deconvwidgets.errors import ServiceError
from deconvwidgets.figures.csv_table import csv_table, csv_text
from deconvwidgets.instruments.comparison.figures.occlusion_sheet import OcclusionSide, draw_sides
from deconvwidgets.instruments.comparison.occlusion_sides import (
    SideChoices,
    class_of_name,
    difference_of,
    maps_settings,
    occlusion_requests,
    scaled,
)
from deconvwidgets.instruments.comparison.pair_records import SIDES
from deconvwidgets.instruments.comparison.service.protocol import SideBySideService, SupportsBoth
from deconvwidgets.instruments.occlusion.patch_boxes import patch_boxes
from deconvwidgets.instruments.occlusion.records import OcclusionMaps

_KINDS = ("predictions.png", "maps.png", "maps.csv")
_KEYS = ("image", "target_a", "target_b", "fill", "window", "patches", "stride", "border")


def both_sides(service: SideBySideService, state: Mapping[str, Any]) -> tuple[OcclusionSide, OcclusionSide]:
    """Return the scene and the answer of both models, with the state in the pixels of each one's input."""
    missing = [key for key in _KEYS if key not in state]
    if missing:
        raise ServiceError(f"The state of a figure needs {', '.join(missing)}; pass that of a widget, not {describe(dict(state))}.")
    options = [service.side(side).occlusion.choices() for side in SIDES]
    choices = (SideChoices(options[0].input, options[0].classes), SideChoices(options[1].input, options[1].classes))
    name_a: str | None = state["target_a"]
    if name_a is None and choices[0].classes is not None:
        target = service.side("a").occlusion.scene(occlusion_requests(state, choices, None)[0]).request.target
        name_a = None if target is None else choices[0].classes[target]
    found = []
    for number, (side, request) in enumerate(zip(SIDES, occlusion_requests(state, choices, name_a), strict=True)):
        occlusion = service.side(side).occlusion
        own = {**state, **(scaled(state, choices[0].input, choices[1].input) if side == "b" else {})}
        scene = occlusion.scene(request)
        target_name = (
            None if scene.request.target is None or (classes := choices[number].classes) is None else classes[scene.request.target]
        )
        answer = occlusion.answer(request, patch_boxes(own))
        found.append(
            OcclusionSide(service.names()[number], service.side(side).overview(), own, choices[number].input, scene, answer, target_name)
        )
    return found[0], found[1]


def occlusion_summary(service: SideBySideService, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return what both models return for a photograph, with patches and without, as plain values."""
    sides = both_sides(service, state)
    summary: dict[str, Any] = {"image": sides[0].scene.caption}
    for side, shown in zip(SIDES, sides, strict=True):
        classes = [{"name": one.name, "with_patches": one.now, "without_patches": one.before} for one in shown.answer.classes]
        summary[side] = {"model": shown.overview.model, "target": shown.target, "classes": classes}
    return summary


def make_occlusion_figure(service: SideBySideService, kind: str, state: Mapping[str, Any]) -> bytes:
    """Return the predictions of both models, with or without their maps, as PNG; or the maps as CSV. Waits for the maps."""
    one_of(kind, "figure", _KINDS)
    if not isinstance(state, Mapping):
        raise ServiceError(f"A figure is drawn from a state: a dict such as that of a widget, not {describe(state)}.")
    sides = both_sides(service, state)
    if kind == "predictions.png":
        return draw_sides(sides, None, None)
    maps = (_maps(service.side("a"), sides[0]), _maps(service.side("b"), sides[1]))
    difference = difference_of(*maps, (sides[0].input, sides[1].input)) if comparable(sides, state) else None
    if kind == "maps.png":
        return draw_sides(sides, maps, difference)
    return _table(sides, maps)


def comparable(sides: tuple[OcclusionSide, OcclusionSide], state: Mapping[str, Any]) -> bool:
    """Return whether the maps are of one class: of the same name, or both chosen."""
    chosen = state["target_a"] is not None and state["target_b"] is not None
    return chosen or class_of_name(sides[0].target, [sides[1].target or ""]) is not None


def _maps(service: SupportsBoth, side: OcclusionSide) -> OcclusionMaps:
    return service.occlusion.wait(service.occlusion.start_maps(side.scene.request, maps_settings(side.state)))


def _table(sides: tuple[OcclusionSide, OcclusionSide], maps: tuple[OcclusionMaps, OcclusionMaps]) -> bytes:
    """Return the maps, one row per position of each model. Positions are in pixels of each one's input."""
    rows = []
    for letter, side, found in zip("AB", sides, maps, strict=True):
        scores = found.scores
        if scores is None:
            continue
        for row in range(scores.shape[0]):
            for column in range(scores.shape[1]):
                y, x = found.centres[row, column].tolist()
                rows.append([letter, csv_text(side.name), csv_text(side.target or ""), y, x, f"{float(scores[row, column]):.6g}"])
    return csv_table(("side", "model", "target", "row", "column", "score"), rows)
