"""A model whose output object has logits, as a model that returns the logits."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from deconvwidgets.errors import ModelError


class LogitsOutput(nn.Module):
    """Return the attribute `logits` of a model's output, as the image classifiers of transformers have it.

    Modules and parameters are shared with `original`, which is not changed, and all layers keep their names.

    Parameters
    ----------
    original : torch.nn.Module
        The model.
    """

    def __init__(self, original: nn.Module) -> None:
        super().__init__()
        self.training = original.training
        # Not registered as a submodule, which would prefix all names. The dictionaries are shared, so that moving this model moves the
        # original as well.
        self.__dict__["original"] = original
        self._modules, self._parameters, self._buffers = original._modules, original._parameters, original._buffers
        self._non_persistent_buffers_set = original._non_persistent_buffers_set

    def forward(self, batch: Tensor) -> Tensor:
        """Return logits (N, classes). Raises ModelError if the output has none."""
        output: Any = self.__dict__["original"].forward(batch)
        if not hasattr(output, "logits"):
            raise ModelError(
                f"{type(self.__dict__['original']).__name__} returns a {type(output).__name__} without logits: it is no classifier."
            )
        logits: Tensor = output.logits
        return logits
