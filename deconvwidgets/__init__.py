"""Interactive visualization of convolutional networks in JupyterLab, after Zeiler & Fergus 2014.

Public names are loaded on first access, so that `import deconvwidgets` is fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "engine": "deconvwidgets.engine",
    "load_model": "deconvwidgets.models.zoo",
    "surgery": "deconvwidgets.models.surgery",
    "ModelBundle": "deconvwidgets.models.bundle",
    "Head": "deconvwidgets.records.heads",
    "load_head": "deconvwidgets.models.head_files",
    "save_head": "deconvwidgets.models.head_files",
    "load_units": "deconvwidgets.models.unit_files",
    "save_units": "deconvwidgets.models.unit_files",
    "open_images": "deconvwidgets.images.open",
    "open_checkpoints": "deconvwidgets.checkpoints.open",
    "Checkpoints": "deconvwidgets.checkpoints.checkpoint_set",
    "CheckpointRecorder": "deconvwidgets.checkpoints.recorder",
    "lightning_callback": "deconvwidgets.checkpoints.lightning_callback",
    "huggingface_callback": "deconvwidgets.checkpoints.huggingface_callback",
    "project": "deconvwidgets.instruments.layers.compute.project",
    "ActivationIndex": "deconvwidgets.index.activation_index",
    "feature_evolution": "deconvwidgets.instruments.evolution.compute.evolution",
    "occlude": "deconvwidgets.instruments.occlusion.compute.occlude",
    "projection_faithfulness": "deconvwidgets.instruments.occlusion.compute.faithfulness",
    "correspondence": "deconvwidgets.instruments.occlusion.compute.correspondence",
    "random_parts": "deconvwidgets.instruments.occlusion.compute.correspondence",
    "invariance": "deconvwidgets.instruments.invariance.compute.invariance",
    "save_invariance": "deconvwidgets.instruments.invariance.figures.files",
    "unit_contributions": "deconvwidgets.instruments.contributions.compute.contributions",
    "ablation_file": "deconvwidgets.instruments.contributions.figures.ablation_drawing",
    "ablate_units": "deconvwidgets.instruments.contributions.compute.ablate",
    "feeding_units": "deconvwidgets.instruments.contributions.compute.feeding_units",
    "train_softmax_head": "deconvwidgets.instruments.transfer.compute.train",
    "train_svm_head": "deconvwidgets.instruments.transfer.compute.train",
    "learning_curve": "deconvwidgets.instruments.transfer.compute.train",
    "mute_units": "deconvwidgets.instruments.transfer.compute.mute",
    "train": "deconvwidgets.instruments.training.compute.train",
    "Recipe": "deconvwidgets.instruments.training.compute.recipe",
    "run_ablation": "deconvwidgets.instruments.ablation.compute.run",
    "AblationStudy": "deconvwidgets.instruments.ablation.compute.study",
    "evaluate": "deconvwidgets.instruments.evaluation.compute.evaluate",
    "compare_evaluations": "deconvwidgets.instruments.evaluation.compute.compare",
    "compare": "deconvwidgets.instruments.comparison.compute.compare",
    "compare_indexes": "deconvwidgets.instruments.comparison.compute.compare",
    "Thresholds": "deconvwidgets.instruments.comparison.thresholds",
    "freeze": "deconvwidgets.instruments.comparison.compute.freeze",
    "check": "deconvwidgets.instruments.comparison.compute.check",
    "check_file": "deconvwidgets.instruments.comparison.figures.check_file",
    "diagnose": "deconvwidgets.instruments.diagnosis.compute.diagnose",
    "shift_response": "deconvwidgets.instruments.diagnosis.compute.shift_response",
    "check_input": "deconvwidgets.instruments.diagnosis.compute.check_input",
    "diagnosis_file": "deconvwidgets.instruments.diagnosis.figures.files",
    "LocalModelService": "deconvwidgets.local_service",
    "LocalEvolutionService": "deconvwidgets.instruments.evolution.service.api",
    "serve": "deconvwidgets.remote.serve",
    "connect": "deconvwidgets.remote.connect",
    "LayerExplorer": "deconvwidgets.instruments.layers.widget.explorer",
    "InvarianceExplorer": "deconvwidgets.instruments.invariance.widget.explorer",
    "OcclusionExplorer": "deconvwidgets.instruments.occlusion.widget.explorer",
    "LocalTrainingService": "deconvwidgets.instruments.training.service.api",
    "TrainingPanel": "deconvwidgets.instruments.training.widget.panel",
    "AblationPanel": "deconvwidgets.instruments.ablation.widget.panel",
    "TransferPanel": "deconvwidgets.instruments.transfer.widget.panel",
    "EvaluationPanel": "deconvwidgets.instruments.evaluation.widget.panel",
    "DiagnosisPanel": "deconvwidgets.instruments.diagnosis.widget.panel",
    "side_by_side": "deconvwidgets.side_by_side_widgets",
    "EvolutionExplorer": "deconvwidgets.instruments.evolution.widget.explorer",
    "static": "deconvwidgets.widgets.static_mode",
}

_MODULES = ("engine", "surgery")  # names that are modules

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'deconvwidgets' has no attribute {name!r}")
    module = import_module(home)
    return module if name in _MODULES else getattr(module, name)


def __dir__() -> list[str]:
    return [*_HOMES, "__version__"]
