"""Every public function, every class that users make, and their methods have cases in the sweep: a new one without a case fails here."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import deconvwidgets as dw
from deconvwidgets.checkpoints.recorder_options import RecorderOptions
from deconvwidgets.index.options import IndexSettings
from deconvwidgets.instruments.comparison.records import Comparison
from deconvwidgets.instruments.evolution.compute.evolution import FeatureEvolution
from tests.arguments.test_classes import CLASSES
from tests.arguments.test_functions import FUNCTIONS
from tests.arguments.test_results import METHODS
from tests.arguments.test_services import METHOD_CASES
from tests.arguments.test_widgets import WIDGET_CASES

CASES = [
    *((name, set(case.kinds)) for name, case in {**FUNCTIONS, **CLASSES, **METHODS}.items()),
    *((name, set(kinds)) for name, (_, _, kinds) in {**METHOD_CASES, **WIDGET_CASES}.items()),
]
RECORDING = {field.name for field in dataclasses.fields(RecorderOptions)} - {"folder"}
KEYWORDS = {  # that a callable takes as **keywords
    "dw.ActivationIndex.build": set(IndexSettings.__annotations__),
    "dw.huggingface_callback": RECORDING,
    "dw.lightning_callback": RECORDING,
    "dw.LocalTrainingService": {"validation", "input_size", "name", "pretrained", "overwrite", "device"},
    "dw.TrainingPanel": {"validation", "input_size", "name", "pretrained", "overwrite", "device"},
    "dw.AblationPanel": {"baseline", "validation", "input_size", "overwrite", "device"},
    "recorder.end_epoch": {"train_loss", "train_top1"},
    "recorder.add_metrics": {"validation_loss", "my_metric"},
}
WITHOUT = {  # public names without a case, and why
    "serve": "each valid call would start a cluster of Ray: tests/remote",
    "connect": "each valid call would join a cluster of Ray: tests/remote",
    "ActivationIndex": "is made by ActivationIndex.build and load",
    "Checkpoints": "is made by open_checkpoints",
    "Head": "is made by load_head, train_softmax_head and train_svm_head",
    "ModelBundle": "is made by load_model and ModelBundle.from_module",
}
OBJECTS = {  # what stands for an object of a class in the names of cases; and methods that users do not call with arguments of their own
    "recipe": (dw.Recipe, {"resolved", "saved_after"}),
    "recorder": (dw.CheckpointRecorder, {"with_options"}),
    "checkpoints": (dw.Checkpoints, set()),
    "training": (dw.LocalTrainingService, {"subscribe"}),
    "panel": (dw.TrainingPanel, {"set_state"}),
    "study": (dw.AblationStudy, set()),
    "ablation_panel": (dw.AblationPanel, {"set_state"}),
    "evolved": (dw.LocalEvolutionService, {"subscribe"}),
    "explorer": (dw.EvolutionExplorer, {"set_state"}),
    "layer_explorer": (dw.LayerExplorer, {"set_state"}),
    "occlusion_explorer": (dw.OcclusionExplorer, {"set_state"}),
    "invariance_explorer": (dw.InvarianceExplorer, {"set_state"}),
    "transfer_panel": (dw.TransferPanel, {"set_state"}),
    "evaluation_panel": (dw.EvaluationPanel, {"set_state"}),
    "diagnosis_panel": (dw.DiagnosisPanel, {"set_state"}),
    "evolution": (FeatureEvolution, set()),
    "comparison": (Comparison, set()),
    "index": (dw.ActivationIndex, {"build", "check", "empty", "from_state", "labels_of"}),
    "bundle": (dw.ModelBundle, {"from_module", "geometry", "to_picture"}),
    "service": (dw.LocalModelService, {"subscribe", "new_session"}),
}


def own_methods(kind: type) -> dict[str, Callable[..., Any]]:
    """Return the public methods of a class of this package that have arguments."""
    found = {
        name: getattr(kind, name)
        for ancestor in kind.__mro__
        if ancestor.__module__.startswith("deconvwidgets")
        for name, value in vars(ancestor).items()
        if not name.startswith("_") and inspect.isfunction(getattr(value, "__func__", value))
    }
    return {name: method for name, method in found.items() if arguments_of(method)}


def arguments_of(call: Callable[..., Any]) -> set[str]:
    parameters = inspect.signature(call).parameters.values()
    return {one.name for one in parameters if one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)} - {"self"}


def public() -> Iterator[tuple[str, Callable[..., Any]]]:
    for name in dw.__all__:
        value = getattr(dw, name)
        if callable(value) and name not in WITHOUT:
            yield f"dw.{name}", value
    for name in dw.engine.__all__:
        if inspect.isfunction(getattr(dw.engine, name)):
            yield f"dw.engine.{name}", getattr(dw.engine, name)
    for name in dw.surgery.__all__:
        if inspect.isfunction(getattr(dw.surgery, name)):
            yield f"dw.surgery.{name}", getattr(dw.surgery, name)
    yield "dw.ActivationIndex.build", dw.ActivationIndex.build
    yield "dw.ModelBundle.from_module", dw.ModelBundle.from_module
    for stand_in, (kind, others) in OBJECTS.items():
        for name, method in own_methods(kind).items():
            if name not in others:
                yield f"{stand_in}.{name}", method


@pytest.mark.parametrize(("name", "call"), [pytest.param(name, call, id=name) for name, call in public()])
def test_every_argument_has_a_case(name, call):
    tested = set().union(*(kinds for case, kinds in CASES if case.split("(")[0] == name))
    missing = (arguments_of(call) | KEYWORDS.get(name, set())) - tested
    assert not missing, f"tests/arguments has no case of {name} for {', '.join(sorted(missing))}"


def test_the_methods_of_every_public_class_are_tested():
    classes = {value for name in dw.__all__ if inspect.isclass(value := getattr(dw, name)) and own_methods(value)}
    assert classes <= {kind for kind, _ in OBJECTS.values()}, "add them to OBJECTS, with cases of their methods"


def test_the_reasons_are_needed():
    assert set(WITHOUT) <= set(dw.__all__)
    assert not {f"dw.{name}" for name in WITHOUT} & {case for case, _ in CASES}
    assert all(others <= set(own_methods(kind)) for kind, others in OBJECTS.values())
