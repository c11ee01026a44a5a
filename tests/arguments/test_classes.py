"""The arguments of classes that users make and of their methods, with values of the wrong kind."""

from __future__ import annotations

import atexit
import dataclasses
import math
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

import deconvwidgets as dw
from deconvwidgets.checkpoints.log_file import append_epoch, read_log
from deconvwidgets.instruments.evolution.records import CellKey, CellPicturesRequest, UnitChoice
from deconvwidgets.records.training_log import EpochLog
from deconvwidgets.service.worker import SynchronousExecutor
from tests.arguments.checking import BUNDLE, PHOTOGRAPHS, RULES, Case, Labelled, check
from tests.arguments.hostile_values import (
    REFUSED,
    SKIPPED,
    Kind,
    boolean,
    choice,
    function,
    location,
    nothing,
    optional,
    real,
    whole,
)
from tests.arguments.test_functions import (
    RECORDING,
    checkpoints,
    mean_colour,
    name_of,
    names_of_layers,
    new_folder,
    no_folder,
    no_size,
    number_of_seeds,
    probability,
    some_epochs,
)
from tests.arguments.test_widgets import empty_state, state_layer

pytestmark = pytest.mark.slow

CONV2 = choice("3", "conv2")


def measurement(value: Any) -> Any:
    """A real number; nan and infinities are what a training that diverges measures."""
    return float(value) if isinstance(value, float) and not math.isfinite(value) else real()(value)


def recorder(**options: Any) -> dw.CheckpointRecorder:
    return dw.CheckpointRecorder(**{"folder": tempfile.mkdtemp(), "model": BUNDLE.model, **options})


def recorded(recorder: dw.CheckpointRecorder) -> str:
    return repr([dataclasses.replace(line, seconds=0) for line in read_log(recorder.folder).epochs])


def end_epoch(**arguments: Any) -> str:
    made = recorder(epochs=[10**9], initial=False)  # without weights
    made.end_epoch(**arguments)
    return recorded(made)


def add_metrics(**arguments: Any) -> str:
    made = recorder(epochs=[10**9], initial=False)  # without weights
    made.end_epoch()
    made.add_metrics(**arguments)
    return recorded(made)


TRAINED = {"architecture": mean_colour, "images": Labelled(), "recipe": dw.Recipe(epochs=1), "out": "training", "input_size": 8}
TRAINING: dict[str, Kind] = {
    "architecture": lambda value: SKIPPED if isinstance(value, torch.nn.Module) else REFUSED,
    "images": nothing,
    "recipe": optional(nothing),
    "out": new_folder,
    "folder": optional(nothing),  # beside what is to be trained
    "validation": optional(nothing),
    "input_size": optional(no_size),
    "name": optional(name_of),
    "pretrained": boolean,
    "overwrite": boolean,
    "device": choice("auto", "cpu"),
}


def training_service(**arguments: Any) -> Any:
    service = dw.LocalTrainingService(**{**TRAINED, **arguments})
    service.close()
    return service.status()


def training_panel(**arguments: Any) -> Any:
    with dw.TrainingPanel(**{**TRAINED, **arguments}) as panel:
        return panel.status, panel.state, panel.height


@cache
def trained() -> dw.LocalTrainingService:
    """Return the service of a training of one epoch that did not take place."""
    folder = Path(tempfile.mkdtemp())
    dw.CheckpointRecorder(folder, BUNDLE.model, input_size=(3, 16, 16))
    append_epoch(folder, EpochLog(epoch=1, train_loss=1.0))
    service = dw.LocalTrainingService(folder=folder)
    service.checkpoints = checkpoints  # type: ignore[method-assign]  # a folder alone does not tell its architecture
    return service


@cache
def panel() -> dw.TrainingPanel:
    return dw.TrainingPanel(trained())


@cache
def study_folder() -> Path:
    """Return the folder of a study of one run of one epoch."""
    folder = Path(tempfile.mkdtemp())
    dw.run_ablation({"a": mean_colour}, Labelled(), dw.Recipe(epochs=1), 1, folder, input_size=8, device="cpu", progress=False)
    return folder


@cache
def study() -> dw.AblationStudy:
    return dw.AblationStudy(study_folder(), {"a": mean_colour}, Labelled())


def study_service(**one: Any) -> Any:
    service = study().service(**{"variant": "a", **one})
    service.close()
    return service.overview().model


@cache
def study_panel() -> dw.AblationPanel:
    return dw.AblationPanel(study())


def explored_layer(**one: Any) -> Any:
    with study_panel().layer_explorer(**{"variant": "a", **one}) as explorer:
        return explorer.state["layer"]


def empty_mapping(value: Any) -> Any:
    return {} if isinstance(value, dict) and not value else REFUSED


def ablation_panel(**arguments: Any) -> Any:
    valid = {
        "study": {"a": mean_colour}, "images": Labelled(), "recipe": dw.Recipe(epochs=1), "seeds": 1, "out": "study", "input_size": 8,
    }  # fmt: skip
    with dw.AblationPanel(**{**valid, **arguments}) as panel:
        return panel.table, panel.state, panel.height


def evolution_service(**arguments: Any) -> Any:
    valid = {"checkpoints": checkpoints(), "images": PHOTOGRAPHS, "device": "cpu", "worker": SynchronousExecutor()}
    service = dw.LocalEvolutionService(**{**valid, **arguments})
    try:
        return [layer.name for layer in service.overview().layers]
    finally:
        service.close()


@cache
def evolved() -> dw.LocalEvolutionService:
    service = dw.LocalEvolutionService(checkpoints(), PHOTOGRAPHS, device="cpu", worker=SynchronousExecutor())
    atexit.register(service.close)
    return service


@cache
def explorer() -> dw.EvolutionExplorer:
    return dw.EvolutionExplorer(evolved())


def open_layer(**arguments: Any) -> dict[str, Any]:
    with explorer().layer_explorer(**arguments) as opened:
        return dict(opened.state)


CELLS = CellPicturesRequest(cells=(CellKey(0, "conv1", 1),), tile=16)


def some(value: Any, kind: Kind, *collections: type) -> Any:
    return value if isinstance(value, collections) and all(kind(part) is not REFUSED for part in value) else REFUSED


def listed_layers(value: Any) -> Any:
    return some(value, lambda name: choice("0", "3", "1", "conv1", "conv2")(name), list, tuple)


def changed(record: Any, call: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda **fields: call(dataclasses.replace(record, **fields))


CLASSES: dict[str, Case] = {
    "dw.Recipe": Case(
        dw.Recipe,
        {},
        {
            **dict.fromkeys(("epochs", "batch_size", "annealing_patience"), whole(1)),
            "learning_rate": real(above=0),
            "momentum": real(low=0, below=1),
            "weight_decay": real(low=0),
            "dropout": optional(real(low=0, below=1)),
            "initial_std": optional(real(above=0)),
            "max_filter_rms": optional(real(above=0)),
            "annealing_factor": optional(real(above=0, below=1)),
            "schedule": optional(function),
            "crops": optional(nothing),
            "flips": boolean,
            "validation_share": real(low=0, below=1),
            "save_epochs": some_epochs(0),
            "state_seconds": real(low=0),
            "memory_share": probability,
            "seed": whole(0),
            "optimizer": optional(function),
        },
    ),
    "dw.CheckpointRecorder": Case(
        recorder, {}, {"folder": no_folder, "model": nothing, **RECORDING}, lambda made: repr(made).split(",")[1:]
    ),
    "recorder.end_epoch": Case(end_epoch, {}, {"epoch": optional(whole(1, 10**9)), "train_loss": optional(measurement)}),
    "recorder.end_epoch(top1)": Case(end_epoch, {}, {"train_top1": optional(lambda value: measured_share(value))}),
    "recorder.add_metrics": Case(add_metrics, {}, {"validation_loss": optional(measurement), "my_metric": optional(measurement)}),
    "checkpoints.bundle": Case(checkpoints().bundle, {}, {"epoch": whole(0, 0)}, lambda bundle: bundle.label),
    "checkpoints.checkpoint": Case(checkpoints().checkpoint, {}, {"epoch": whole(0, 0)}),
    "dw.LocalTrainingService": Case(
        training_service,
        {},
        {**TRAINING, "interval": real(above=0), "executor": optional(nothing)},
        lambda status: (status.folder, status.plan),
    ),
    "dw.LocalTrainingService(folder)": Case(
        lambda folder: dw.LocalTrainingService(folder=folder).folder, {"folder": "x"}, {"folder": location}
    ),
    "dw.TrainingPanel": Case(
        training_panel, {}, {**TRAINING, "state": empty_state, "height": nothing},
        lambda made: (made[0].folder, made[0].plan, made[1]),
    ),
    "dw.AblationStudy": Case(
        lambda **arguments: dw.AblationStudy(**{"folder": study_folder(), **arguments}).table,
        {},
        {"folder": nothing, "build": optional(empty_mapping), "images": optional(nothing)},
    ),
    "study.log": Case(lambda **one: study().log(**{"variant": "a", **one}), {}, {"variant": nothing, "seed": optional(whole(0, 0))}),
    "study.checkpoints": Case(
        lambda **one: study().checkpoints(**{"variant": "a", **one}).epochs, {}, {"variant": nothing, "seed": optional(whole(0, 0))}
    ),
    "study.bundle": Case(
        lambda **one: study().bundle(**{"variant": "a", **one}).label, {}, {"variant": nothing, "seed": optional(whole(0, 0))}
    ),
    "study.service": Case(lambda **one: study_service(**one), {}, {"variant": nothing, "seed": optional(whole(0, 0))}),
    "dw.AblationPanel": Case(
        ablation_panel,
        {},
        {
            "study": nothing, "images": nothing, "recipe": optional(nothing), "seeds": number_of_seeds, "out": new_folder,
            "folder": optional(nothing),
            "baseline": optional(nothing), "validation": optional(nothing), "input_size": optional(no_size), "overwrite": boolean,
            "device": choice("auto", "cpu"), "state": empty_state, "height": nothing,
        },
    ),
    "ablation_panel.wait": Case(lambda timeout: study_panel().wait(timeout), {}, {"timeout": optional(real(low=0))}),
    "ablation_panel.save": Case(lambda path: study_panel().save(path), {}, {"path": nothing}),
    "ablation_panel.start": Case(lambda variants: study_panel().start(variants), {}, {"variants": lambda value: REFUSED}),
    "ablation_panel.layer_explorer": Case(
        explored_layer, {}, {"variant": nothing, "seed": optional(whole(0, 0))}
    ),
    "training.wait": Case(lambda timeout: trained().wait(timeout).folder, {}, {"timeout": optional(real(low=0))}),
    "training.file": Case(lambda kind: trained().file(kind), {}, {"kind": nothing}),
    "training.bundle": Case(lambda epoch: trained().bundle(epoch), {}, {"epoch": optional(whole(0, 0))}, lambda bundle: bundle.label),
    "panel.wait": Case(lambda timeout: panel().wait(timeout), {}, {"timeout": optional(real(low=0))}),
    "panel.save": Case(lambda path: panel().save(path), {}, {"path": nothing}),
    "dw.LocalEvolutionService": Case(
        evolution_service,
        {},
        {
            "checkpoints": nothing,
            "images": nothing,
            "layers": optional(names_of_layers),
            "device": choice("auto", "cpu"),
            "worker": optional(nothing),
        },
    ),
    "dw.EvolutionExplorer(checkpoints)": Case(
        lambda **arguments: dw.EvolutionExplorer(arguments["checkpoints"], PHOTOGRAPHS), {}, {"checkpoints": nothing}
    ),
    "dw.EvolutionExplorer(images)": Case(lambda images: dw.EvolutionExplorer(checkpoints(), images), {}, {"images": nothing}),
    "explorer.layer_explorer": Case(
        open_layer,
        {"layer": "conv2", "unit": 1},
        {"epoch": optional(whole(0, 0)), "layer": optional(state_layer), "unit": optional(whole(0, 4))},
    ),
    "explorer.save": Case(lambda **arguments: explorer().save(**{"path": "x.csv", **arguments}), {}, {"path": nothing, "what": nothing}),
    "evolved.index": Case(lambda epoch: evolved().index(epoch), {}, {"epoch": whole(0, 0)}, lambda found: found.crops),
    "evolved.model": Case(lambda epoch: evolved().model(epoch), {}, {"epoch": whole(0, 0)}, lambda found: found[0].label),
    "evolved.layers_of": Case(lambda epoch: evolved().layers_of(epoch), {}, {"epoch": whole(0, 0)}, lambda found: type(found)),
    "evolved.convergence": Case(lambda measure: evolved().convergence(measure), {}, {"measure": nothing}),
    "evolved.history": Case(
        lambda **arguments: evolved().history(**arguments), {"layer": "conv2", "unit": 1}, {"layer": CONV2, "unit": whole(0, 4)}, repr
    ),
    "evolved.wait": Case(lambda timeout: evolved().wait(timeout).overview().ready, {}, {"timeout": optional(real(low=0))}),
    "evolved.figure": Case(lambda **arguments: evolved().figure(**arguments), {"kind": "cells.csv", "state": {}}, {
        "kind": nothing, "state": lambda value: SKIPPED if isinstance(value, dict) else REFUSED,
    }),
    "evolved.figure(state)": Case(lambda **state: evolved().figure("evolution.svg", state), {}, {
        "choose": nothing, "layers": listed_layers, "show": nothing, "measure": nothing,
    }),
    "evolved.figure(units)": Case(
        lambda units: evolved().figure("cells.csv", {"choose": "chosen", "units": units}), {}, {"units": nothing}
    ),
    "evolved.rows": Case(lambda choice: evolved().rows(choice), {}, {"choice": nothing}),
    "evolved.rows(choice)": Case(changed(UnitChoice(), lambda choice: evolved().rows(choice)), {}, {
        "choose": nothing, "count": whole(1, 256), "seed": whole(0), "layers": listed_layers,
    }, repr),
    "evolved.rows(units)": Case(changed(UnitChoice(choose="chosen"), lambda choice: evolved().rows(choice)), {}, {
        "units": lambda value: value if isinstance(value, list | tuple) and not value else REFUSED,
    }),
    "evolved.cell_pictures": Case(lambda request: evolved().cell_pictures(request), {}, {"request": nothing}),
    "evolved.cell_pictures(request)": Case(changed(CELLS, lambda request: evolved().cell_pictures(request)), {}, {
        "cells": nothing, "parts": nothing, "rule": RULES, "tile": whole(8, 512),
        "patch_tile": optional(whole(8, 512)), "background": boolean,
    }, repr),
    "evolved.cell_pictures(cell)": Case(
        changed(CELLS.cells[0], lambda cell: evolved().cell_pictures(dataclasses.replace(CELLS, cells=(cell,)))), {"layer": "conv2"},
        {"epoch": whole(0, 0), "layer": CONV2, "unit": whole(0, 4)}, lambda found: found[0].projection,
    ),
    "dw.static": Case(lambda on: dw.static(on).__exit__(), {}, {"on": boolean}),
}  # fmt: skip


def measured_share(value: Any) -> Any:
    number = measurement(value)
    return number if number is REFUSED or math.isnan(number) or 0 <= number <= 1 else REFUSED


@pytest.mark.parametrize(("class_name", "argument"), [(name, key) for name, case in CLASSES.items() for key in case.kinds])
def test_classes(class_name, argument):
    check(CLASSES[class_name], argument)
