"""Loading of pickled Flax checkpoints without running code.

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
        If the pickle is damaged or contains anything but dictionaries of numeric arrays.
    """
    try:
        tree = _ArrayUnpickler(io.BytesIO(data)).load()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, IndexError, KeyError, ImportError) as error:
        raise AssetError(f"The checkpoint was not loaded: {error}. Download it again from a source with a known hash.") from error
    _check(tree, "checkpoint")
    return tree  # type: ignore[no-any-return]


def _check(tree: object, name: str) -> None:
    if not isinstance(tree, dict):
        raise AssetError(f"The {name} is not a dictionary of arrays, but a {type(tree).__name__}. Is it the right file?")
    for key, value in tree.items():
        if not isinstance(key, str):
            raise AssetError(f"The {name} has a key that is not a string. Is it the right file?")
        if isinstance(value, np.ndarray):
            if value.dtype.kind not in "fiub":
                raise AssetError(f"The {name}'s {key!r} is not an array of numbers ({value.dtype}). Is it the right file?")
        else:
            _check(value, f"{name}'s {key!r}")
