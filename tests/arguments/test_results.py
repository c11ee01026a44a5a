"""The arguments of the methods of what functions return, with values of the wrong kind."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

import deconvwidgets as dw
from tests.arguments.checking import BUNDLE, Case, Labelled, check, noise
from tests.arguments.hostile_values import REFUSED, SKIPPED, boolean, choice, location, nothing, optional, real, whole
from tests.arguments.test_functions import evolution, index, invariance_curves, model_service, some_epochs, unit_check

pytestmark = pytest.mark.slow

LAYER = choice("1", "3", "conv1", "conv2")
CONV2 = choice("3", "conv2")
UNIT = whole(0, 3)


@cache
def full_index() -> dw.ActivationIndex:
    """Return an index that keeps everything."""
    return dw.ActivationIndex.build(BUNDLE, Labelled(), k=9, samples=16, per_class=2, negative=True, device="cpu", progress=False)


def of_index(name: str, **valid: Any) -> Any:
    return lambda **arguments: getattr(full_index(), name)(**{**valid, **arguments})


def correlation(value: Any) -> Any:
    number = real(above=0)(value)
    return number if number is not REFUSED and number <= 1 else REFUSED


def some_sources(value: Any) -> Any:
    listed = some_epochs(0)(value)
    if listed is REFUSED or not listed:
        return SKIPPED if isinstance(value, range) else REFUSED  # "5 to 2" may be meant, and has none
    return SKIPPED if max(listed) > 15 else listed  # IndexError


@cache
def comparison() -> Any:
    return dw.compare_indexes(index(), index())


def of_side(name: str) -> Any:
    return lambda status: getattr(comparison().layer("conv1").a, name)(status)


def side_by_side_saved(**arguments: Any) -> Any:
    with dw.side_by_side(model_service(), model_service()) as widget:
        return widget.save(**{"path": "x.png", **arguments})


def no_factors(value: Any) -> Any:
    return value if isinstance(value, dict) and not value else REFUSED


METHODS: dict[str, Case] = {
    **{
        f"index.{name}": Case(of_index(name), {}, {"layer": LAYER}, repr)
        for name in (
            "values", "image_ids", "positions", "labels", "sample_values", "sample_positions", "stats", "unit_columns", "dead_units",
        )
    },
    "index.layer": Case(of_index("layer"), {}, {"name": LAYER}),
    "index.top": Case(of_index("top", layer="conv1", unit=0), {}, {"layer": LAYER, "unit": UNIT, "k": optional(whole(1, 9))}),
    "index.most_negative": Case(
        of_index("most_negative", layer="conv1", unit=0), {}, {"layer": LAYER, "unit": UNIT, "k": optional(whole(1, 9))}
    ),
    "index.top_of_class": Case(
        of_index("top_of_class", layer="conv1", unit=0, label="a"),
        {},
        {"layer": LAYER, "unit": UNIT, "label": whole(0, 1), "k": optional(whole(1, 2))},
    ),
    "index.class_counts": Case(of_index("class_counts", layer="conv1", unit=0), {}, {"layer": LAYER, "unit": UNIT}),
    "index.units": Case(of_index("units", layer="conv1"), {}, {
        "layer": LAYER,
        "where": lambda value: SKIPPED if isinstance(value, str) else REFUSED,
        "sort": optional(nothing),
        "descending": boolean,
    }),
    "index.to_dataframe": Case(of_index("to_dataframe"), {}, {"layer": optional(LAYER)}, lambda frame: frame.to_csv()),
    "index.top_dataframe": Case(
        of_index("top_dataframe"), {}, {"layer": optional(LAYER), "k": optional(whole(1, 9)), "images": optional(nothing)},
        lambda frame: frame.to_csv(),
    ),
    "index.whole_range": Case(of_index("whole_range", layer="conv1", unit=0), {}, {
        "layer": LAYER, "unit": UNIT, "bins": whole(1, 100), "per_bin": whole(1, 100), "seed": whole(0),
    }, repr),
    "index.near_copies": Case(of_index("near_copies", layer="conv1"), {}, {"layer": LAYER, "at_least": correlation}, repr),
    "index.unit_map": Case(
        of_index("unit_map", layer="conv1", method="pca"), {}, {"layer": LAYER, "method": nothing, "seed": whole(0)}, repr
    ),
    "index.save": Case(of_index("save"), {}, {"path": location}),
    "index.load": Case(dw.ActivationIndex.load, {}, {"path": nothing}),
    "index.merge": Case(of_index("merge"), {}, {"other": nothing}),
    "index.from_bytes": Case(dw.ActivationIndex.from_bytes, {}, {"data": nothing}),
    **{
        f"comparison.{name}": Case(lambda layer, name=name: getattr(comparison(), name)(layer), {}, {"layer": CONV2}, repr)
        for name in ("matches", "kept", "moved", "changed", "split", "merged", "died", "lost", "new")
    },
    "comparison.layer": Case(lambda name: comparison().layer(name), {}, {"name": CONV2}, repr),
    "comparison.to_csv": Case(lambda layer: comparison().to_csv(layer), {}, {"layer": optional(CONV2)}),
    "comparison.to_dataframe": Case(lambda layer: comparison().to_dataframe(layer).to_csv(), {}, {"layer": optional(CONV2)}),
    "comparison.changed_most": Case(
        lambda **arguments: comparison().changed_most(**arguments), {}, {"layer": optional(CONV2), "count": whole(1), "by": nothing}, repr
    ),
    "images.only_classes": Case(Labelled().only_classes, {}, {"names": nothing}),
    "images.subset": Case(
        Labelled().subset, {}, {"sources": lambda value: some_sources(value)}, lambda images: (images.source_count, images.digest)
    ),
    "comparison.layer.a.with_status": Case(of_side("with_status"), {}, {"status": nothing}),
    "comparison.layer.a.pairs": Case(of_side("pairs"), {}, {"status": nothing}),
    "check.layer": Case(lambda name: unit_check().layer(name), {}, {"name": CONV2}, lambda layer: layer.info.name),
    "check.layer.units": Case(lambda status: unit_check().layer("conv1").units(status), {}, {"status": nothing}),
    "check.layer.mean_after": Case(lambda unit: unit_check().layer("conv1").mean_after(unit), {}, {"unit": UNIT}),
    "evolution.convergence.reached": Case(
        lambda **arguments: evolution().convergence("conv1").reached(**arguments), {}, {"measure": nothing, "level": real()}
    ),
    "side_by_side.save": Case(side_by_side_saved, {}, {
        "path": nothing, "pairs": lambda value: SKIPPED if whole(1, 400)(value) is not REFUSED else REFUSED,
    }),
    "bundle.with_output": Case(BUNDLE.with_output, {}, {
        "output": optional(nothing),
        "task": optional(choice("auto", "softmax")),
        "categories": optional(nothing),
        "unit": lambda value: SKIPPED if isinstance(value, str) else REFUSED,
    }),
    "bundle.with_head": Case(BUNDLE.with_head, {}, {"head": optional(nothing)}, lambda bundle: bundle.name),
    "bundle.with_units": Case(BUNDLE.with_units, {}, {"units": optional(no_factors)}, lambda bundle: bundle.name),
    "bundle.prepare": Case(BUNDLE.prepare, {"image": noise()}, {"image": nothing}),
    "bundle.resized": Case(BUNDLE.resized, {"image": noise()}, {"image": nothing}),
    "bundle.prepare_resized": Case(BUNDLE.prepare_resized, {"image": noise()}, {"image": nothing}),
    "invariance.layer": Case(
        lambda **arguments: invariance_curves().layer(**arguments), {"name": "conv1"},
        {"name": choice("conv1", "conv2"), "measure": choice("relative", "distance")},
    ),
    "invariance.save": Case(lambda path: invariance_curves().save(path), {}, {"path": nothing}),
}  # fmt: skip


@pytest.mark.parametrize(("method", "argument"), [(name, key) for name, case in METHODS.items() for key in case.kinds])
def test_results(method, argument):
    check(METHODS[method], argument)
