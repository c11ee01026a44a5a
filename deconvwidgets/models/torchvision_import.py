"""Import of torchvision, also if its compiled operators do not load.

The wheels on package indexes are built for CUDA. With a CPU-only torch their compiled operators do not load, and
`import torchvision` fails with "operator torchvision::nms does not exist", although models, weights metadata and transforms
do not need the operators. Declaring the schemas of the missing operators is sufficient to import it.
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
    """Import torchvision with `models`, `transforms` and `datasets`. Thread-safe.

    If the compiled operators are missing, `torchvision.ops.nms`, detection models and the decoders of `torchvision.io` do not
    work; classification models, weights metadata, transforms and data sets do.

    Returns
    -------
    module
        torchvision.

    Raises
    ------
    ImportError
        If torchvision is not installed. Any other error of the import is not caught.
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
    match = _MISSING.search(str(error))
    return match.group(1) if match else ""


def _forget_torchvision() -> None:
    """Remove a partially imported package, so that the next import starts again."""
    for name in [name for name in sys.modules if name == "torchvision" or name.startswith("torchvision.")]:
        del sys.modules[name]


@cache
def _fragment() -> torch.library.Library:
    """Return the library of the declarations, which exist as long as this object; hence the cache."""
    return torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
