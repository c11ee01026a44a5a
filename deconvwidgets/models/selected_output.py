"""A model of which one output is used: of tuples, dicts, dataclasses, or by a function."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor, nn


class SelectedOutput(nn.Module):
    """A model whose forward returns a part of what another model returns.

    Modules, parameters and buffers are those of `original`, which is not changed, and all layers keep their names.

    Parameters
    ----------
    original : nn.Module
        The model.
    select : callable
        Takes what the model returns, and returns the part.
    """

    def __init__(self, original: nn.Module, select: Callable[[Any], Any]) -> None:
        super().__init__()
        self.training = original.training
        # The original is not registered as a submodule, which would prefix all names. The dictionaries are shared: moving this model to
        # another device replaces the buffers in them, and the original must not keep the old buffers.
        self.__dict__["original"] = original
        self._parameters, self._buffers, self._modules = original._parameters, original._buffers, original._modules
        self._non_persistent_buffers_set = original._non_persistent_buffers_set
        self.select = select

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:  # an attribute of the original that is no module, parameter or buffer
            return getattr(self.__dict__["original"], name)

    def modules(self, *args: Any, **options: Any) -> Iterator[nn.Module]:
        """Yield the modules of the original, itself first: with `repr`, they are what a digest of its layers covers."""
        modules: Iterator[nn.Module] = self.__dict__["original"].modules(*args, **options)
        return modules

    def __repr__(self) -> str:
        return repr(self.__dict__["original"])

    def forward(self, batch: Tensor) -> Any:
        """Return the selected output."""
        return self.select(self.__dict__["original"](batch))
