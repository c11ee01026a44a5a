"""The arguments of the public functions, with values of the wrong kind."""

from __future__ import annotations

import atexit
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import deconvwidgets as dw
from deconvwidgets.arguments import as_integer
from deconvwidgets.service.worker import SynchronousExecutor
from tests.arguments.checking import BUNDLE, LAYERS, PAIR, PHOTOGRAPHS, RULES, Case, Labelled, check, noise
from tests.arguments.hostile_values import REFUSED, SKIPPED, boolean, choice, function, location, nothing, optional, real, whole, wholes
from tests.conftest import random_head
from tests.instruments.evolution.trainings import unchanged, write_training

pytestmark = pytest.mark.slow

BATCH = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
METHODS = choice("auto", "local", "full")
FLAGS = {"progress": boolean, "job": optional(nothing)}


def number_of_seeds(value: Any) -> Any:
    """1, or seeds, of which one case is enough: more are trained elsewhere."""
    listed = list(value) if isinstance(value, list | tuple | set | range | np.ndarray) and getattr(value, "shape", (1,)) != () else None
    if listed and all(whole(0)(part) is not REFUSED for part in listed) and len(set(listed)) == len(listed):
        return listed if isinstance(value, list) and value == [1] else SKIPPED
    number = whole(1, 3)(value)
    return SKIPPED if number is not REFUSED and number != 1 else number


COMMON_TRAINING = {
    "bundle": nothing,
    "dataset": nothing,
    "layer": optional(LAYERS),
    "folds": whole(1, 3),
    "seed": whole(0),
    "views": choice("one", "flips", "ten"),
    **FLAGS,
    "path": optional(location),
    "store": choice("memory", "disk"),
    "device": choice("auto", "cpu"),
    "on_fold": optional(function),
}
TRAINING = {"bundle": BUNDLE, "dataset": Labelled(), "folds": 1, "store": "memory", "device": "cpu", "progress": False}
WEIGHT_DECAY = {"weight_decay": optional(lambda value: real(above=0)(value) if real(above=0)(value) is not REFUSED else decays(value))}


def decays(value: Any) -> Any:
    listed = value.tolist() if isinstance(value, np.ndarray) else value
    if not isinstance(listed, list | tuple) or not listed or any(real(above=0)(part) is REFUSED for part in listed):
        return REFUSED
    return tuple(float(part) for part in listed)


def head_results(report: Any) -> Any:
    return report.head.weight, report.confidences


@cache
@cache
def a_diagnosis() -> Any:
    return dw.diagnose(BUNDLE, PHOTOGRAPHS, layers=["conv1"], shift_photographs=1, shifts=[1], device="cpu")


def some_shifts(value: Any) -> Any:
    listed = some_epochs(0)(value)
    if listed is REFUSED or listed is SKIPPED:
        return listed
    return listed if listed and len(set(listed)) == len(listed) and max(listed) < 16 else REFUSED


def project(**arguments: Any) -> Any:
    return dw.project(arguments.pop("bundle"), arguments.pop("images"), arguments.pop("layer"), **arguments)


def engine_project(**arguments: Any) -> Any:
    return dw.engine.project(arguments.pop("model"), arguments.pop("batch"), arguments.pop("layer"), **arguments)


def index_results(index: Any) -> Any:
    return [(info.name, index.values(info.name), index.image_ids(info.name)) for info in index.layers]


def names_of_layers(value: Any) -> Any:
    listed = [value] if isinstance(value, str) else value
    return listed if isinstance(listed, list | tuple) and listed and all(LAYERS(name) is not REFUSED for name in listed) else REFUSED


def crops(value: Any) -> Any:
    return value if isinstance(value, range) else REFUSED


def strings(value: Any) -> Any:
    return value if isinstance(value, list | tuple) and value and all(isinstance(name, str) for name in value) else REFUSED


def choice_of_false(value: Any) -> Any:
    return REFUSED if boolean(value) in (REFUSED, True) else value


@cache
def evaluation() -> Any:
    return dw.evaluate(BUNDLE, Labelled(), mapping={"a": 0, "b": 1}, store="memory", progress=False)


@cache
def index() -> Any:
    return dw.ActivationIndex.build(BUNDLE, PHOTOGRAPHS, progress=False)


@cache
def model_service() -> Any:
    return dw.LocalModelService(BUNDLE, PHOTOGRAPHS, device="cpu", worker=SynchronousExecutor())


def side_by_side(service_a: Any, service_b: Any, instrument: Any = "layers") -> str:
    service_a = service_a() if service_a is model_service else service_a  # not before it is needed
    with dw.side_by_side(service_a, service_b, instrument) as widget:
        return type(widget).__name__


@cache
def frozen_file() -> Path:
    path = Path(tempfile.mkdtemp()) / "units.json"
    dw.freeze(BUNDLE, PHOTOGRAPHS, path, k=2, samples=9, projections=1, progress=False)
    return path


@cache
def unit_check() -> Any:
    return dw.check(frozen_file(), BUNDLE, PHOTOGRAPHS, progress=False)


def unit_limit(value: Any) -> Any:
    """A number of units; a text, such as "5%", is tested elsewhere."""
    return SKIPPED if isinstance(value, str) and value.strip().isdecimal() else whole(0)(value)


def probability(value: Any) -> Any:
    clean = real(low=0)(value)
    return clean if clean is not REFUSED and clean <= 1 else REFUSED


def correlation(low: float, high: float) -> Any:
    def clean(value: Any) -> Any:
        found = real(low=low)(value)
        return found if found is not REFUSED and found <= high else REFUSED

    return clean


def or_auto(kind: Any) -> Any:
    return lambda value: value if isinstance(value, str) and value == "auto" else kind(value)


def mean_colour(classes: int) -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Conv2d(3, classes, 1), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())


def no_sequence(value: Any) -> Any:
    """Refuse what is no sequence; sequences, and None, are tested elsewhere."""
    return SKIPPED if value is None or (hasattr(value, "__iter__") and not isinstance(value, str | bytes | dict)) else REFUSED


@cache
def invariance_curves() -> Any:
    return dw.invariance(BUNDLE, PHOTOGRAPHS, "blur", [1], photographs=1, progress=False)


def no_size(value: Any) -> Any:
    """Refuse what is no size; sizes are tested elsewhere."""
    return SKIPPED if as_integer(value) is not None or isinstance(value, list | tuple | np.ndarray) else REFUSED


def new_folder(value: Any) -> Any:
    """A path at which nothing is."""
    return location(value) if not isinstance(value, str | os.PathLike) or not Path(value).exists() else SKIPPED


def no_folder(value: Any) -> Any:
    """Refuse what is no path."""
    return SKIPPED if location(value) is not REFUSED else REFUSED


def opened_checkpoint(**arguments: Any) -> Any:
    if not Path("tiny").exists():
        dw.CheckpointRecorder("tiny", BUNDLE.model, input_size=(3, 16, 16))
    checkpoints = dw.open_checkpoints(arguments.pop("source"), **arguments)
    return checkpoints.bundle(checkpoints.epochs[0])


def no_units(value: Any) -> Any:
    return value if isinstance(value, list | tuple | dict | set) and not value else REFUSED


def name_of(value: Any) -> Any:
    return value if isinstance(value, str) and value else REFUSED


@cache
def checkpoints() -> Any:
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return write_training(Path(folder.name), {0: unchanged}, BUNDLE)


@cache
def evolution() -> Any:
    return dw.feature_evolution(checkpoints(), PHOTOGRAPHS, device="cpu", progress=False)


def some_of_five(value: Any) -> Any:
    return value if isinstance(value, str) and value in ("random", "changed") else wholes((0,), (1,), (2,), (3,), high=4)(value)


def some_epochs(low: int) -> Any:
    """Integers of at least `low`, in any collection."""

    def clean(value: Any) -> Any:
        if isinstance(value, set | range | tuple | list):
            listed = list(value)
        elif isinstance(value, np.ndarray) and value.ndim and (value.dtype.kind in "iu" or not value.size):
            listed = value.tolist()
        else:
            return REFUSED
        return REFUSED if any(whole(low, 10**9)(part) is REFUSED for part in listed) else listed

    return clean


def different(kind: Any) -> Any:
    """Values of the kind, at least one, and each once."""
    return lambda value: REFUSED if (clean := kind(value)) is REFUSED or not clean or len(set(clean)) < len(clean) else clean


def no_function(value: Any) -> Any:
    return SKIPPED if callable(value) else REFUSED


RECORDING = {
    "epochs": optional(different(some_epochs(0))),
    "transform": optional(no_function),
    "categories": optional(strings),
    "input_size": optional(nothing),
    "name": optional(name_of),
    **dict.fromkeys(("initial", "pretrained", "resume", "overwrite"), boolean),
}
COMPUTED = {"dtype": choice("model", "float64"), "device": choice("auto", "cpu"), "job": optional(nothing)}


def refuse_only(kind: Any) -> Any:
    """Refuse what is none of the kind; the others are tested elsewhere."""
    return lambda value: REFUSED if kind(value) is REFUSED else SKIPPED


def surgery_result(bundle: Any) -> Any:
    return bundle.label, [dict(step.arguments) for step in bundle.surgery]


WITH_WEIGHTS = choice("0", "1", "3", "conv1", "conv2")  # layers that are maps of convolutions
SURGERY = {
    "dw.surgery.remove_layers": Case(
        dw.surgery.remove_layers,
        {"bundle": BUNDLE, "layers": "conv2"},
        {"bundle": nothing, "layers": refuse_only(names_of_layers), "seed": whole(0)},
        surgery_result,
    ),
    "dw.surgery.resize_layer": Case(
        dw.surgery.resize_layer,
        {"bundle": BUNDLE, "layer": "conv1", "units": 2},
        {"bundle": nothing, "layer": WITH_WEIGHTS, "units": whole(1, 2**16), "seed": whole(0)},
        surgery_result,
    ),
    "dw.surgery.remove_units": Case(
        dw.surgery.remove_units,
        {"bundle": BUNDLE, "units": {"conv1": [0, 1]}},
        {"bundle": nothing, "units": nothing},
        surgery_result,
    ),
    "dw.surgery.change_first_layer": Case(
        dw.surgery.change_first_layer,
        {"bundle": BUNDLE, "kernel_size": 5},
        {
            "bundle": nothing,
            "kernel_size": refuse_only(optional(wholes((), (2,), low=1, high=64))),
            "stride": refuse_only(optional(wholes((), (2,), low=1, high=64))),
            "keep_grid": boolean,
        },
        surgery_result,
    ),
    "dw.surgery.swap_pooling": Case(
        dw.surgery.swap_pooling,
        {"bundle": BUNDLE},
        {"bundle": nothing, "layers": refuse_only(optional(names_of_layers)), "to": choice("blur", "average")},
        surgery_result,
    ),
    "dw.surgery.blur_strides": Case(
        dw.surgery.blur_strides,
        {"bundle": BUNDLE},
        {"bundle": nothing, "layers": refuse_only(optional(names_of_layers))},
        surgery_result,
    ),
    "dw.surgery.insert_normalization": Case(
        dw.surgery.insert_normalization,
        {"bundle": BUNDLE, "after": "conv1"},
        {"bundle": nothing, "after": refuse_only(names_of_layers), "kind": choice("batch_norm", "response_norm")},
        surgery_result,
    ),
    "dw.surgery.merge_units": Case(
        dw.surgery.merge_units,
        {"bundle": BUNDLE, "layer": "conv1", "units": [0, 1]},
        {"bundle": nothing, "layer": refuse_only(WITH_WEIGHTS), "units": refuse_only(different(wholes((2,), (1,), high=3)))},
        surgery_result,
    ),
    "dw.surgery.undo": Case(dw.surgery.undo, {"bundle": dw.surgery.swap_pooling(BUNDLE)}, {"bundle": nothing}, lambda bundle: bundle.name),
    "dw.surgery.apply": Case(
        dw.surgery.apply,
        {"bundle": BUNDLE, "steps": []},
        {"bundle": nothing, "steps": lambda value: value if isinstance(value, list | tuple) and not value else REFUSED},
        surgery_result,
    ),
}
FUNCTIONS: dict[str, Case] = {
    **SURGERY,
    "dw.project": Case(
        project,
        {"bundle": BUNDLE, "images": noise(), "layer": "conv2", "unit": 1},
        {
            "bundle": nothing,
            "images": nothing,
            "layer": LAYERS,
            "unit": whole(0, 4),
            "at": optional(wholes((1, 2), (2,), high=3)),
            "rule": RULES,
            "method": METHODS,
            "seed": real(),
            "beyond_paper": boolean,
            "network": optional(nothing),
        },
    ),
    "dw.engine.project": Case(
        engine_project,
        {"model": BUNDLE.network, "batch": BATCH, "layer": "conv2", "unit": 1},
        {
            "model": nothing,
            "batch": nothing,
            "layer": LAYERS,
            "unit": wholes((), (1,), high=4),
            "at": optional(wholes((1, 2), (2,), high=3)),
            "rule": RULES,
            "method": METHODS,
            "seed": real(),
            "beyond_paper": boolean,
        },
    ),
    "dw.engine.describe_layers": Case(
        dw.engine.describe_layers, {"model": BUNDLE.model, "input_size": (3, 16, 16)}, {"model": nothing, "input_size": nothing}
    ),
    "dw.unit_contributions": Case(
        dw.unit_contributions,
        {"bundle": BUNDLE, "images": noise(), "layer": "conv1", "target": 0},
        {
            "bundle": nothing, "images": nothing, "layer": LAYERS, "target": optional(whole(0, 2)), "against": optional(whole(1, 2)),
            "method": choice("auto", "weight", "gradient", "switch-off"), "baseline": optional(nothing), "deletion": boolean, **COMPUTED,
            "progress": boolean,
        },
        lambda found: (found.contributions, found.target, found.against),
    ),
    "dw.feature_evolution": Case(
        lambda **arguments: dw.feature_evolution(arguments.pop("checkpoints"), arguments.pop("images"), **arguments),
        {"checkpoints": checkpoints(), "images": PHOTOGRAPHS, "device": "cpu", "progress": False},
        {"checkpoints": nothing, "images": nothing, "layers": optional(names_of_layers), "device": choice("auto", "cpu"), **FLAGS},
        lambda evolution: [(info.name, evolution.convergence(info.name).samples) for info in evolution.layers],
    ),
    "evolution.units": Case(
        evolution().units,
        {"layer": "conv2"},
        {"layer": choice("3", "conv2"), "choose": some_of_five, "count": whole(1), "seed": whole(0)},
    ),
    "evolution.strongest": Case(evolution().strongest, {}, {"layer": choice("3", "conv2")}, lambda found: found.values),
    "evolution.convergence": Case(evolution().convergence, {}, {"layer": choice("3", "conv2")}, lambda found: found.correlation),
    "evolution.index": Case(evolution().index, {}, {"epoch": whole(0, 0)}, lambda index: index.crops),
    "evolution.refresh": Case(evolution().refresh, {}, FLAGS),
    "dw.invariance": Case(
        lambda **arguments: dw.invariance(arguments.pop("bundle"), arguments.pop("images"), arguments.pop("transform"), **arguments),
        {"bundle": BUNDLE, "images": PHOTOGRAPHS, "transform": "blur", "amounts": [1], "photographs": 1, "progress": False},
        {
            "bundle": nothing, "images": nothing, "transform": choice("blur", "noise"), "amounts": no_sequence,
            "layers": optional(names_of_layers), "photographs": lambda value: whole(1)(value) if no_sequence(value) is REFUSED else SKIPPED,
            **FLAGS,
        },
        lambda found: found.distances,
    ),
    "dw.save_invariance": Case(
        lambda **arguments: dw.save_invariance(arguments["curves"] or invariance_curves(), arguments["path"], arguments["measure"]),
        {"curves": None, "path": Path(tempfile.gettempdir()) / "curves.csv", "measure": "relative"},
        {"path": nothing, "measure": choice("relative", "distance")},
        lambda path: path.name,
    ),
    "dw.save_invariance(curves)": Case(lambda curves: dw.save_invariance(curves, "x.csv"), {}, {"curves": nothing}),
    "dw.feeding_units": Case(
        dw.feeding_units,
        {"bundle": BUNDLE, "images": PHOTOGRAPHS, "layer": "conv2", "unit": 1},
        {
            "bundle": nothing, "images": nothing, "layer": choice("3", "conv2"), "unit": whole(0, 4), "index": optional(nothing),
            "k": whole(1, 1000), **COMPUTED,
        },
        lambda found: found.terms,
    ),
    "dw.ablate_units": Case(
        dw.ablate_units,
        {"bundle": BUNDLE, "images": PHOTOGRAPHS, "layer": "conv1"},
        {"bundle": nothing, "images": nothing, "layer": LAYERS, **COMPUTED, "progress": boolean},
        lambda found: found.changed,
    ),
    "dw.ablation_file": Case(
        dw.ablation_file,
        {"ablation": dw.ablate_units(BUNDLE, PHOTOGRAPHS, "conv1"), "kind": "csv"},
        {"ablation": nothing, "kind": choice("png", "svg", "pdf", "csv")},
    ),
    "dw.occlude": Case(
        dw.occlude,
        {"bundle": BUNDLE, "image": noise(), "window": 6, "stride": 5},
        {
            "bundle": nothing,
            "image": nothing,
            "window": optional(PAIR),
            "stride": optional(wholes((), (2,), low=1, high=1000)),
            "layer": optional(LAYERS),
            "unit": optional(whole(0, 4)),
            "target": optional(whole(0, 2)),
            "against": optional(whole(0, 2)),
            "fill": nothing,
            "method": choice("auto", "incremental", "full"),
            "border": choice("inside", "same"),
            "logits": boolean,
            "memory_limit": optional(real(low=1)),
            **FLAGS,
            "network": optional(nothing),
        },
    ),
    "dw.ActivationIndex.build": Case(
        dw.ActivationIndex.build,
        {"bundle": BUNDLE, "images": PHOTOGRAPHS, "k": 2, "progress": False, "device": "cpu"},
        {
            "bundle": nothing,
            "images": nothing,
            "layers": optional(names_of_layers),
            "options": optional(nothing),
            "k": whole(1, 2**20),
            "per_source": optional(whole(1)),
            "negative": boolean,
            "samples": whole(0, 2**20),
            "per_class": whole(0, 2**20),
            "seed": whole(0),
            "precision": choice("fp32", "bf16"),
            "memory_format": choice("auto", "contiguous", "channels_last"),
            "scaled_jpeg": boolean,
            "batch_size": or_auto(whole(1, 2**20)),
            "workers": or_auto(whole(0, 2**12)),
            "decoded_cache": optional(location),
            "commit_seconds": real(above=0),
            "path": optional(location),
            "resume": boolean,
            "overwrite": boolean,
            "device": choice("auto", "cpu"),
            **FLAGS,
            "crops": optional(crops),
            "engine": choice("local"),
            "ray_address": optional(nothing),
            "on_so_far": optional(lambda value: None if callable(value) and not isinstance(value, type) else REFUSED),
        },
        index_results,
    ),
    "dw.load_model": Case(
        dw.load_model,
        {"name": "squeezenet1_1", "weights": None, "progress": False, "head": None},
        {
            "name": nothing,
            "weights": optional(nothing),
            "input_size": optional(nothing),
            "progress": boolean,
            "head": optional(nothing),
            "device": choice("auto", "cpu"),
        },
        lambda bundle: bundle.name,
    ),
    "dw.ModelBundle.from_module": Case(
        dw.ModelBundle.from_module,
        {"net": BUNDLE.model, "input_size": (3, 16, 16)},
        {
            "net": nothing,
            "transform": optional(function),
            "categories": optional(nothing),  # the net has three outputs, and no value is a list of three names
            "input_size": optional(nothing),
            "name": optional(name_of),
            "display_channels": optional(wholes((3,), (1,), high=2)),
            "task": optional(choice("auto", "softmax", "probabilities", "multilabel", "binary", "regression")),
            "output": optional(nothing),
            "unit": lambda value: value if isinstance(value, str) else REFUSED,
            "trained": boolean,
        },
        lambda bundle: (bundle.label, bundle.input_size, bundle.categories, bundle.display_channels),
    ),
    "dw.projection_faithfulness": Case(
        dw.projection_faithfulness,
        {"bundle": BUNDLE, "images": [noise()], "layer": "conv1", "window": 4},
        {
            "bundle": nothing,
            "images": nothing,
            "layer": optional(LAYERS),
            "units": optional(wholes((), (1,), high=3)),
            "window": optional(wholes((), (2,), low=1, high=8)),
            "elsewhere": whole(1),
            "seed": whole(0),
            "fill": nothing,
            "memory_limit": optional(real(low=1)),
            **FLAGS,
            "network": optional(nothing),
        },
    ),
    "dw.correspondence": Case(
        dw.correspondence,
        {"bundle": BUNDLE, "images": [noise(), noise(20)], "parts": {"a": [(0, 0, 4, 4)] * 2}},
        {
            "bundle": nothing,
            "images": nothing,
            "parts": nothing,
            "layers": optional(names_of_layers),
            "pixels": choice("input", "source"),
            "fill": nothing,
            **FLAGS,
            "network": optional(nothing),
        },
    ),
    "dw.random_parts": Case(
        dw.random_parts,
        {"parts": {"a": [(0, 0, 4, 4)] * 2}, "size": (16, 16)},
        {"parts": nothing, "size": wholes((2,), low=1), "count": whole(1, 100_000), "within": optional(nothing), "seed": whole(0)},
    ),
    "dw.train_softmax_head": Case(
        dw.train_softmax_head,
        {**TRAINING, "images_per_class": 2, "weight_decay": 1e-2},
        {
            **COMMON_TRAINING,
            **WEIGHT_DECAY,
            "images_per_class": whole(1, 7),
            "temperature": optional(real(above=0)),
            "muted": optional(no_units),
            "on_step": optional(function),
        },
        head_results,
    ),
    "dw.train_svm_head": Case(
        dw.train_svm_head,
        {**TRAINING, "images_per_class": 2},
        {**COMMON_TRAINING, "images_per_class": whole(1, 7), "cost": real(above=0)},
        head_results,
    ),
    "dw.mute_units": Case(
        dw.mute_units,
        {**TRAINING, "units": {"conv2": [1]}, "images_per_class": 2, "weight_decay": 1e-2},
        {
            **COMMON_TRAINING,
            **WEIGHT_DECAY,
            "units": nothing,
            "layer": optional(choice("3", "conv2")),
            "images_per_class": whole(1, 7),
            "temperature": optional(real(above=0)),
        },
        lambda found: head_results(found.after),
    ),
    "dw.learning_curve": Case(
        dw.learning_curve,
        {**TRAINING, "images_per_class": (1,), "weight_decay": 1e-2},
        {
            **COMMON_TRAINING,
            **WEIGHT_DECAY,
            "images_per_class": lambda value: sizes(value),
            "muted": optional(no_units),
            "on_step": optional(function),
            "on_point": function,
            "known": optional(nothing),
        },
        lambda curve: (curve.images_per_class, curve.means),
    ),
    "dw.open_images": Case(
        dw.open_images,
        {"what": PHOTOGRAPHS},
        {
            "limit": optional(whole(1)), "progress": boolean, "include_background": choice_of_false, "root": optional(location),
            "download": choice_of_false,
            "columns": optional(nothing),
        },
        lambda images: images.source_count,
    ),
    "dw.train": Case(
        dw.train,
        {
            "architecture": mean_colour, "images": Labelled(), "recipe": dw.Recipe(epochs=1, save_epochs=[]), "out": "training",
            "input_size": 8, "overwrite": True, "device": "cpu", "progress": False,
        },
        {
            "architecture": lambda value: SKIPPED if isinstance(value, torch.nn.Module) else REFUSED,
            "images": nothing,
            "recipe": optional(nothing),
            "out": new_folder,
            "validation": optional(nothing),
            "input_size": optional(no_size),
            "name": optional(lambda value: value if isinstance(value, str) and value else REFUSED),
            "pretrained": boolean,
            "resume": boolean,
            "overwrite": boolean,
            "device": choice("auto", "cpu"),
            **FLAGS,
            "engine": choice("local"),
            "workers": whole(1, 1),
        },
        lambda trained: [tensor.numpy() for tensor in trained.bundle.model.state_dict().values()],
    ),
    "dw.run_ablation": Case(
        dw.run_ablation,
        {
            "specs": {"a": mean_colour}, "images": Labelled(), "recipe": dw.Recipe(), "epochs": 1, "save_epochs": [], "seeds": 1,
            "out": "study", "input_size": 8, "overwrite": True, "device": "cpu", "progress": False,
        },
        {
            "specs": nothing,
            "images": nothing,
            "recipe": optional(nothing),
            "seeds": number_of_seeds,
            "out": new_folder,
            "baseline": optional(nothing),
            "validation": optional(nothing),
            "input_size": optional(no_size),
            "overwrite": boolean,
            "device": choice("auto", "cpu"),
            **FLAGS,
            "engine": choice("local"),
            "workers": whole(1, 1),
        },
        lambda study: [(run.seed, run.complete, run.train_error) for run in study.runs],
    ),
    "dw.open_checkpoints": Case(
        opened_checkpoint,
        {"source": "tiny", "build": BUNDLE.model, "input_size": (3, 16, 16)},
        {
            "source": nothing,
            "build": nothing,
            "transform": optional(lambda value: SKIPPED if callable(value) else REFUSED),
            "categories": optional(nothing),
            "input_size": lambda value: SKIPPED if value is None else REFUSED,
            "name": optional(name_of),
            "epochs": optional(wholes((1,), high=10**9)),
            "pretrained": optional(boolean),
            "prefix": optional(lambda value: SKIPPED if isinstance(value, str) else REFUSED),
        },
        lambda bundle: (bundle.label, bundle.weights),
    ),
    "dw.lightning_callback": Case(
        dw.lightning_callback,
        {"folder": "recording", "module": "net"},
        {"folder": no_folder, "module": optional(name_of), **RECORDING},
        lambda callback: type(callback).__name__,
    ),
    "dw.huggingface_callback": Case(
        dw.huggingface_callback, {"folder": "recording"}, {"folder": no_folder, **RECORDING}, lambda callback: type(callback).__name__
    ),
    "dw.evaluate": Case(
        dw.evaluate,
        {"bundle": BUNDLE, "images": Labelled(), "mapping": {"a": 0, "b": 1}, "store": "memory", "device": "cpu", "progress": False},
        {
            "bundle": nothing,
            "images": nothing,
            "labels": optional(nothing),
            "mapping": lambda value: value if isinstance(value, dict) and value else REFUSED,
            "threshold": probability,
            "bins": whole(1, 1000),
            "store": choice("memory", "disk"),
            "device": choice("auto", "cpu"),
            **FLAGS,
            "on_partial": optional(function),
        },
        lambda evaluation: (evaluation.predictions, evaluation.confusion, evaluation.reliability.counts),
    ),
    "dw.compare_evaluations": Case(dw.compare_evaluations, {"before": None, "after": None}, {"before": nothing}),
    "dw.compare_evaluations(after)": Case(lambda after: dw.compare_evaluations(evaluation(), after), {"after": None}, {"after": nothing}),
    "dw.freeze": Case(
        dw.freeze,
        {
            "bundle": BUNDLE, "images": PHOTOGRAPHS, "path": "units.json", "k": 2, "samples": 9, "projections": 1, "overwrite": True,
            "device": "cpu", "progress": False,
        },
        {
            "bundle": nothing,
            "images": nothing,
            "path": location,
            "layers": optional(names_of_layers),
            "k": whole(1, 100),
            "samples": whole(2, 1 << 16),
            "projections": whole(0, 9),
            "seed": whole(0),
            "overwrite": boolean,
            "device": choice("auto", "cpu"),
            **FLAGS,
        },
        lambda frozen: [(layer.info.name, layer.top.values, layer.descriptors) for layer in frozen.layers],
    ),
    "dw.check": Case(
        lambda **arguments: dw.check(arguments.pop("frozen", None) or frozen_file(), **arguments),
        {"bundle": BUNDLE, "images": PHOTOGRAPHS, "device": "cpu", "progress": False},
        {
            "bundle": nothing,
            "images": nothing,
            "layers": optional(names_of_layers),
            **dict.fromkeys(("max_died", "max_changed", "max_moved", "max_split"), optional(unit_limit)),
            **dict.fromkeys(("min_correlation", "min_overlap", "min_likeness"), probability),
            "max_scale": real(low=1),
            "figures": whole(0, 1000),
            "device": choice("auto", "cpu"),
            **FLAGS,
        },
        lambda found: [(layer.info.name, layer.match, layer.correlation) for layer in found.layers],
    ),
    "dw.check(frozen)": Case(
        dw.check, {"bundle": BUNDLE, "images": PHOTOGRAPHS, "device": "cpu", "progress": False, "frozen": None}, {"frozen": nothing}
    ),
    "dw.Thresholds": Case(dw.Thresholds, {}, {"same": correlation(0.5, 1), "related": correlation(1e-9, 0.95)}),
    "dw.diagnose": Case(
        dw.diagnose,
        {"bundle": BUNDLE, "images": PHOTOGRAPHS, "layers": ["conv1"], "shift_photographs": 1, "shifts": [1], "device": "cpu"},
        {
            "bundle": nothing,
            "images": nothing,
            "layers": optional(names_of_layers),
            "shift_photographs": whole(1, 1 << 20),
            "shifts": some_shifts,
            "labels": optional(nothing),
            "device": choice("auto", "cpu"),
            **FLAGS,
        },
        lambda found: (found.findings, found.shift.changes),
    ),
    "dw.shift_response": Case(
        dw.shift_response,
        {"bundle": BUNDLE, "images": PHOTOGRAPHS, "layers": ["conv1"], "photographs": 1, "shifts": [1], "device": "cpu"},
        {
            "bundle": nothing,
            "images": nothing,
            "layers": optional(names_of_layers),
            "photographs": whole(1, 1 << 20),
            "shifts": some_shifts,
            "direction": choice("right", "left", "up", "down"),
            "device": choice("auto", "cpu"),
            **FLAGS,
        },
    ),
    "dw.check_input": Case(
        dw.check_input,
        {"bundle": BUNDLE, "images": PHOTOGRAPHS, "photographs": 1, "device": "cpu"},
        {
            "bundle": nothing,
            "images": nothing,
            "labels": optional(nothing),
            "photographs": whole(1, 1 << 20),
            "device": choice("auto", "cpu"),
            **FLAGS,
        },
        lambda found: (found.level, found.summary),
    ),
    "dw.diagnosis_file": Case(
        lambda kind: dw.diagnosis_file(a_diagnosis(), kind), {"kind": "csv"}, {"kind": choice("html", "json", "csv", "png")}
    ),
    "dw.diagnosis_file(diagnosis)": Case(dw.diagnosis_file, {"diagnosis": None}, {"diagnosis": nothing}),
    "dw.diagnosis_file(diagnoses)": Case(
        lambda diagnosis: dw.diagnosis_file([a_diagnosis(), diagnosis], "csv"), {"diagnosis": None}, {"diagnosis": nothing}
    ),
    "dw.check_file": Case(lambda kind: dw.check_file(unit_check(), kind), {"kind": "csv"}, {"kind": choice("html", "json", "csv", "xml")}),
    "dw.check_file(check)": Case(dw.check_file, {"check": None}, {"check": nothing}),
    "dw.compare": Case(
        dw.compare,
        {"bundle_a": BUNDLE, "bundle_b": BUNDLE, "images": PHOTOGRAPHS, "layers": ["conv1"], "device": "cpu", "progress": False},
        {
            "bundle_a": nothing,
            "bundle_b": nothing,
            "images": nothing,
            "layers": optional(names_of_layers),
            "samples": whole(8, 1 << 20),
            "thresholds": optional(nothing),
            "device": choice("auto", "cpu"),
            **FLAGS,
        },
        lambda comparison: comparison.to_csv(),
    ),
    "dw.compare_indexes": Case(
        lambda **arguments: dw.compare_indexes(index(), index(), **arguments),
        {},
        {"layers": optional(names_of_layers), "thresholds": optional(nothing)},
        lambda comparison: comparison.to_csv(),
    ),
    "dw.compare_indexes(indexes)": Case(dw.compare_indexes, {"index_a": None, "index_b": None}, {"index_a": nothing}),
    "dw.compare_indexes(index_b)": Case(lambda index_b: dw.compare_indexes(index(), index_b), {"index_b": None}, {"index_b": nothing}),
    "dw.side_by_side": Case(
        lambda **arguments: side_by_side(**{"service_b": model_service(), **arguments}),
        {"service_a": model_service, "instrument": "layers"},
        {"service_b": nothing, "instrument": choice("layers", "occlusion")},
    ),
    "dw.side_by_side(service_a)": Case(
        lambda service_a: side_by_side(service_a, model_service()), {"service_a": None}, {"service_a": nothing}
    ),
    "dw.open_images(what)": Case(dw.open_images, {"what": PHOTOGRAPHS}, {"what": nothing}),
    "dw.save_head": Case(dw.save_head, {"head": random_head(BUNDLE, "conv1"), "path": "x"}, {"head": nothing, "path": location}),
    "dw.save_units": Case(dw.save_units, {"bundle": BUNDLE, "path": "x"}, {"bundle": nothing, "path": location}),
    "dw.load_units": Case(dw.load_units, {"path": "x", "bundle": BUNDLE}, {"path": nothing, "bundle": nothing}),
    "dw.load_head": Case(dw.load_head, {"path": "x"}, {"path": nothing}),
}  # fmt: skip


def sizes(value: Any) -> Any:
    listed = value.tolist() if isinstance(value, np.ndarray) else value
    if not isinstance(listed, list | tuple | set | range) or not listed:
        return REFUSED
    return REFUSED if any(whole(1, 7)(number) is REFUSED for number in listed) else tuple(listed)


@pytest.mark.parametrize(("function_name", "argument"), [(name, key) for name, case in FUNCTIONS.items() for key in case.kinds])
def test_functions(function_name, argument):
    check(FUNCTIONS[function_name], argument)
