"""torchvision, imported in a way that survives a build for another torch.

Package indexes serve torchvision built for CUDA. Beside a CPU-only torch its compiled operators do not load, and
`import torchvision` ends in "operator torchvision::nms does not exist", although models, weights metadata and
transforms need none of those operators. Declaring the missing schemas is enough to import it.
"""

from __future__ import annotations

import importlib
import re
import sys
import threading
from functools import cache
from types import ModuleType

import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_KNOWN_OPERATORS = ("nms", "qnms")
_MISSING = re.compile(r"operator torchvision::(\w+) does not exist")
_LOCK = threading.Lock()


def import_torchvision() -> ModuleType:
    """torchvision, with `models`, `transforms` and `datasets` loaded. Thread safe.

    With a torchvision that matches torch this is a plain import. Where its compiled operators are missing,
    `torchvision.ops.nms`, detection models and `torchvision.io`'s decoders stay unusable; classification models,
    weights metadata, transforms and data sets work.

    Raises ImportError where torchvision is not installed; any other failure of its import passes through unchanged.
    """
    with _LOCK:
        return _import_declaring(set(_KNOWN_OPERATORS))


def _import_declaring(undeclared: set[str]) -> ModuleType:
    while True:
        try:
            for part in ("models", "transforms", "datasets"):
                importlib.import_module(f"torchvision.{part}")
            return importlib.import_module("torchvision")
        except RuntimeError as error:
            operator = _missing_operator(error)
            if operator not in undeclared:
                raise
            undeclared.remove(operator)
            _forget_torchvision()
            _fragment().define(operator + _SCHEMA)  # type: ignore[no-untyped-call]


def _missing_operator(error: RuntimeError) -> str:
    found = _MISSING.search(str(error))
    return found.group(1) if found else ""


def _forget_torchvision() -> None:
    """A half-imported package must go, or the next import would continue from its broken state."""
    for name in [name for name in sys.modules if name == "torchvision" or name.startswith("torchvision.")]:
        del sys.modules[name]


@cache
def _fragment() -> torch.library.Library:
    """The declarations live exactly as long as this object, hence the cache."""
    return torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
