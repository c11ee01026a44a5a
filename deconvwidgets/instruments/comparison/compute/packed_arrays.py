"""Arrays in JSON: compressed and in base64, with shape and type; and read from files of others, within limits."""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.arguments import describe
from deconvwidgets.index.plain_values import listed, text, whole

_MAX_BYTES = 1 << 28  # of an array: a small file may unpack to terabytes


def pack_array(array: NDArray[Any]) -> dict[str, Any]:
    """Return an array as plain values of JSON.

    Examples
    --------
    >>> entry = pack_array(np.array([[1, 2]], np.uint8))
    >>> entry["dtype"], entry["shape"], unpack_array(entry, "uint8", (1, 2))
    ('|u1', [1, 2], array([[1, 2]], dtype=uint8))
    """
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    data = base64.b64encode(zlib.compress(little.tobytes(), 9)).decode("ascii")
    return {"dtype": little.dtype.str, "shape": list(array.shape), "data": data}


def unpack_array(entry: Any, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return the array of plain values. Raises ValueError or KeyError unless it has this type and shape and its data are whole."""
    expected = np.dtype(dtype).newbyteorder("<")
    if not isinstance(entry, dict):
        raise ValueError(f"{describe(entry)} is not an array")
    found = tuple(whole(size) for size in listed(entry["shape"]))
    if text(entry["dtype"]) != expected.str or found != shape:
        raise ValueError(f"an array is {describe(entry['dtype'])} {list(found)} instead of {expected.str!r} {list(shape)}")
    size = expected.itemsize
    for axis in shape:
        size *= axis
    if size > _MAX_BYTES:
        raise ValueError(f"an array has {size:,} bytes, more than {_MAX_BYTES:,}")
    return np.frombuffer(_inflated(text(entry["data"]), size), expected).reshape(shape).astype(dtype)


def _inflated(encoded: str, size: int) -> bytes:
    """Return the unpacked bytes, which must be `size`; no more than that are unpacked."""
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(base64.b64decode(encoded, validate=True), size + 1)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise ValueError(f"the data of an array are damaged ({error})") from error
    if len(data) != size or not unpacker.eof or unpacker.unused_data:
        raise ValueError(f"the data of an array are not {size:,} bytes")
    return data


def quantised(values: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    """Return values (samples, units) in 256 steps of each unit's range, with the lowest value and the step of each unit (units,).

    The restored value `low + step * code` is off by at most half a step. The lowest value is exact, so that zeros stay zeros.
    """
    if not len(values):
        none = np.zeros(values.shape[1], np.float32)
        return values.astype(np.uint8), none, none
    low = values.min(axis=0)
    step = (values.max(axis=0).astype(np.float64) - low) / 255
    codes = np.rint((values.astype(np.float64) - low) / np.where(step > 0, step, 1))
    return np.clip(codes, 0, 255).astype(np.uint8), low.astype(np.float32), step.astype(np.float32)


def restored(codes: NDArray[np.uint8], low: NDArray[np.float32], step: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the values (samples, units) of `quantised`."""
    return (low + step.astype(np.float64) * codes).astype(np.float32)
