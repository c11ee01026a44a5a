"""Reads a pickle of nested dictionaries of NumPy arrays, and refuses to load anything else.

Unpickling may call any importable function. Here only the three globals that rebuild an array are let through.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.errors import AssetError

ArrayTree = dict[str, "NDArray[Any] | ArrayTree"]

_EMPTY: NDArray[Any] = np.empty(0)
# An array reduces to NumPy's own rebuilding function, whose module moved between NumPy 1 and 2
_RECONSTRUCT = _EMPTY.__reduce__()[0]
_ALLOWED: Mapping[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no array of numbers needs") from None


def read_array_tree(data: bytes) -> ArrayTree:
    """A pickle's nested dictionaries of NumPy arrays of numbers.

    Raises AssetError where the pickle is damaged, or asks for anything but arrays.
    """
    try:
        tree = _ArrayUnpickler(io.BytesIO(data)).load()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, IndexError, KeyError, ImportError) as error:
        raise AssetError(f"This checkpoint was not loaded: {error}. Fetch it again from where its hash is known.") from error
    _check(tree, "checkpoint")
    return tree  # type: ignore[no-any-return]


def _check(tree: object, where: str) -> None:
    if not isinstance(tree, dict):
        raise AssetError(f"The {where} is not a dictionary of arrays but a {type(tree).__name__}. Is it the right file?")
    for key, value in tree.items():
        if not isinstance(key, str):
            raise AssetError(f"The {where} has a key that is not a string. Is it the right file?")
        if isinstance(value, np.ndarray):
            if value.dtype.kind not in "fiub":
                raise AssetError(f"The {where}'s {key!r} is not an array of numbers ({value.dtype}). Is it the right file?")
        else:
            _check(value, f"{where}'s {key!r}")
