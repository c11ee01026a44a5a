"""Loading of pickled arrays (such as Flax checkpoints) without running code.

Unpickling can call any importable function. The unpickler of this module allows only the globals that rebuild a NumPy array.
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
# NumPy's function that rebuilds an array; its module was renamed in NumPy 2.
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
            raise pickle.UnpicklingError(f"it refers to {module}.{name}, which a numeric array does not need") from None


def read_array_tree(data: bytes) -> ArrayTree:
    """Load nested dictionaries of numeric NumPy arrays from a pickle.

    A list in a dictionary is read as a dictionary with the keys "0", "1", ...

    Parameters
    ----------
    data : bytes
        The pickle.

    Returns
    -------
    dict
        Arrays, or dictionaries of the same kind, by name.

    Raises
    ------
    AssetError
        If the pickle is damaged or contains anything but dictionaries and lists of numeric arrays.
    """
    try:
        tree = _ArrayUnpickler(io.BytesIO(data)).load()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, IndexError, KeyError, ImportError) as error:
        raise AssetError(f"The checkpoint was not loaded: {error}. Download it again from a source with a known hash.") from error
    if not isinstance(tree, dict):
        raise AssetError(f"The checkpoint is not a dictionary of arrays, but a {type(tree).__name__}. Is it the right file?")
    return _checked(tree, "checkpoint")


def _checked(tree: dict[object, object], name: str) -> ArrayTree:
    return {_key(key, name): _checked_value(value, f"{name}'s {key!r}") for key, value in tree.items()}


def _key(key: object, name: str) -> str:
    if not isinstance(key, str):
        raise AssetError(f"The {name} has a key that is not a string. Is it the right file?")
    return key


def _checked_value(value: object, name: str) -> NDArray[Any] | ArrayTree:
    if isinstance(value, list):
        return _checked({str(number): entry for number, entry in enumerate(value)}, name)
    if isinstance(value, dict):
        return _checked(value, name)
    if not isinstance(value, np.ndarray):
        raise AssetError(f"The {name} is neither an array nor a dictionary, but a {type(value).__name__}. Is it the right file?")
    if value.dtype.kind not in "fiub":
        raise AssetError(f"The {name} is not an array of numbers ({value.dtype}). Is it the right file?")
    return value
