"""A callback of Hugging Face's Trainer that records checkpoints."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from deconvwidgets.checkpoints.partial_epoch import warn_of_partial_epoch
from deconvwidgets.checkpoints.recorder import CheckpointRecorder
from deconvwidgets.checkpoints.recorder_options import RecorderOptions
from deconvwidgets.models.libraries import import_library

_TIMES = ("epoch", "step", "total_flos")  # in the logs, and no measurements
_SPEEDS = ("_runtime", "_per_second")


def huggingface_callback(folder: str | os.PathLike[str], **options: Any) -> Any:
    """Return a callback of Hugging Face's Trainer that records checkpoints: `Trainer(callbacks=[...])`.

    Epoch 0 is recorded when the training starts, and each epoch when it ends, with what is logged and evaluated then: pass
    `logging_strategy="epoch"` and `eval_strategy="epoch"` to TrainingArguments. A training that is resumed continues the recording.
    One that ends within an epoch, as by `max_steps`, is recorded up to the epoch before, with a warning.

    Parameters
    ----------
    folder : str or path
        Where to write. It is not the output_dir of the training.
    **options
        As for `CheckpointRecorder`: epochs, transform, categories, input_size, name, initial, pretrained, resume, overwrite.

    Returns
    -------
    transformers.TrainerCallback

    Raises
    ------
    CheckpointError
        If an option is invalid, or, when the training starts, as for `CheckpointRecorder`.
    ModelError
        If transformers is not installed: it is in the extra `huggingface`.

    Examples
    --------
    >>> callback = huggingface_callback("checkpoints", epochs=[1, 2, 5, 10])
    >>> from transformers import ResNetConfig, ResNetForImageClassification, Trainer, TrainingArguments
    >>> model = ResNetForImageClassification(ResNetConfig(embedding_size=4, hidden_sizes=[4, 8], depths=[1, 1], layer_type="basic"))
    >>> arguments = TrainingArguments("output", logging_strategy="epoch", report_to="none", use_cpu=True)
    >>> callback in Trainer(model, arguments, callbacks=[callback]).callback_handler.callbacks
    True
    """
    checked = RecorderOptions.of(folder, options)
    transformers = import_library("transformers", "huggingface")

    class CheckpointRecording(transformers.TrainerCallback):  # type: ignore[misc, name-defined]
        """Records the checkpoints of a training. `recorder` is its CheckpointRecorder, None before the training starts."""

        recorder: CheckpointRecorder | None = None

        def on_train_begin(self, args: Any, state: Any, control: Any, **arguments: Any) -> None:
            self.recorder = _start(state, arguments["model"], checked)

        def on_epoch_end(self, args: Any, state: Any, control: Any, **arguments: Any) -> None:
            assert self.recorder is not None  # on_train_begin was called
            if _is_partial(args, state, control):
                warn_of_partial_epoch(state.epoch)
                return
            self.recorder.end_epoch(max(1, round(state.epoch)))

        def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **arguments: Any) -> None:
            # What is logged and evaluated at the end of an epoch comes after on_epoch_end.
            if self.recorder is not None and 0 < self.recorder.epoch == state.epoch:
                self.recorder.add_metrics(**_measured(logs or {}))

    return CheckpointRecording()


def _start(state: Any, model: Any, options: RecorderOptions) -> CheckpointRecorder:
    return CheckpointRecorder.with_options(model, options.resumed() if state.global_step > 0 else options)


def _is_partial(args: Any, state: Any, control: Any) -> bool:
    """Return whether the training stops within an epoch, by max_steps or by another callback.

    The last epoch of a whole training may also have a fraction, where gradients are accumulated.
    """
    whole = args.max_steps <= 0 and state.global_step >= state.max_steps
    return bool(control.should_training_stop) and not float(state.epoch).is_integer() and not whole


def _measured(logs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the measurements in a log. "loss" is the training's; the summary at the end of the training is left out."""
    if "train_runtime" in logs:
        return {}
    numbers = {name: value for name, value in logs.items() if isinstance(value, int | float)}
    found = {name: value for name, value in numbers.items() if name not in _TIMES and not name.endswith(_SPEEDS)}
    if "loss" in found:
        found["train_loss"] = found.pop("loss")
    return found
