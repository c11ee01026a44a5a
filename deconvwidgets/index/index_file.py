"""The file of an activation index: one file whose every byte is covered by a checksum.

Format
------
The first line is "deconvwidgets activation index 2" (2 is the version of the format). The second is the SHA-256, in hexadecimal, of the
first line and of everything after the second. The rest is a safetensors file: the arrays, and in its metadata, as JSON under the key
"index", an object with "complete" and "manifest". Equal content gives equal bytes: there are no times and no paths in it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from deconvwidgets.atomic_file import way_on, write_atomic
from deconvwidgets.errors import ActivationIndexError
from deconvwidgets.paths import kind_of, refuse_special_file
from deconvwidgets.strict_json import StrictJsonError, parse_json

VERSION = 2
REPLACE = "Delete it, choose another path, or replace it with overwrite=True (on the command line: --overwrite)"
_TITLE = b"deconvwidgets activation index "
_TITLE_LINE = re.compile(re.escape(_TITLE) + rb"(\d{1,9})\n([0-9a-f]{64})\n")
_MAX_HEADER = 100_000_000  # bytes: safetensors reads no longer ones
_OLD_MANIFEST = "manifest.json"

Manifest = Mapping[str, Any]
Tensors = Mapping[str, NDArray[Any]]


class IndexContent(NamedTuple):
    """What an index file contains.

    Parameters
    ----------
    manifest : dict
        Strings, numbers, bools, None, lists and dicts with strings as keys; tuples became lists.
    tensors : dict of str to array
        New arrays, which may be changed.
    complete : bool
        False for a file of the crops so far (`PATH.partial`).
    """

    manifest: dict[str, Any]
    tensors: dict[str, NDArray[Any]]
    complete: bool


def encode_index(manifest: Manifest, tensors: Tensors, complete: bool = True) -> bytes:
    """Return the bytes of an index file. They depend only on the content, not on the order of the entries.

    Parameters
    ----------
    manifest : dict
        Plain values: strings, finite numbers, bools, None, lists, tuples and dicts with strings as keys.
    tensors : dict of str to array
        Arrays of bools, integers or floating-point numbers of any shape.
    complete : bool
        Whether the index covers all crops that it is built over.

    Raises
    ------
    ActivationIndexError
        If the manifest is too large for one file.
    TypeError, ValueError
        If the manifest contains other values.
    """
    described = {"complete": bool(complete), "manifest": manifest}
    text = json.dumps(described, sort_keys=True, allow_nan=False, separators=(",", ":"))
    arrays = {name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}
    body = save_tensors(arrays, {"index": text})  # of a single entry: the order of several would be random
    header = int.from_bytes(body[:8], "little")
    if header > _MAX_HEADER:
        raise ActivationIndexError(
            f"The index cannot be saved: its lists have {header:,} characters, and a file can have {_MAX_HEADER:,}. "
            "Most are names of images that cannot be read: see `skipped`"
        )
    first = _TITLE + b"%d\n" % VERSION
    return b"".join((first, _checksum(first, body), b"\n", body))


def decode_index(data: bytes, name: object = "The data") -> IndexContent:
    """Return the content of an index file's bytes.

    Parameters
    ----------
    data : bytes
        As `encode_index` returns them.
    name : path or str
        What to call the file in messages.

    Raises
    ------
    ActivationIndexError
        If the bytes are damaged, of another version of the format, or something else.
    """
    match = _TITLE_LINE.match(data)
    if match is None:
        raise ActivationIndexError(f"{name} is not an activation index, or its beginning is damaged. {REPLACE}")
    first, body = data[: match.end(1) + 1], memoryview(data)[match.end() :]
    version = int(match[1])
    if _checksum(first, body) != match[2]:
        raise damaged(name, "its checksum is wrong")
    if version != VERSION:
        raise ActivationIndexError(
            f"{name} has version {version} of the format of activation indexes, and this version of deconvwidgets reads {VERSION}. "
            f"Use the version that wrote it, or build the index again. {REPLACE}"
        )
    try:
        described = parse_json(_metadata(body), _MAX_HEADER)
        tensors = {key: np.array(array) for key, array in load_tensors(bytes(body)).items()}
        manifest, complete = described["manifest"], described["complete"]
    except (SafetensorError, StrictJsonError, KeyError, TypeError, ValueError) as error:
        raise damaged(name, str(error)) from error
    if not isinstance(manifest, dict) or not isinstance(complete, bool):
        raise damaged(name, "it lacks its manifest")
    return IndexContent(manifest, tensors, complete)


def write_index(path: Path, manifest: Manifest, tensors: Tensors, complete: bool = True) -> None:
    """Write an index file as a whole or not at all, and create its folder. A file that is there is replaced: the caller has decided that.

    Raises
    ------
    ActivationIndexError
        If it cannot be written.
    """
    refuse_special_file(path, ActivationIndexError, "Give the path of a regular file")  # writing to a pipe would wait for a reader
    data = encode_index(manifest, tensors, complete)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data)
    except OSError as error:
        raise not_writable(path, error) from error


def read_index(path: Path) -> IndexContent:
    """Return the content of an index file.

    Raises
    ------
    ActivationIndexError
        If there is none, or if it is damaged, of another version of the format, or not an activation index.
    """
    refuse_special_file(path, ActivationIndexError, "Give the path of a file that an index was saved in")
    if kind_of(path) == "folder":
        raise _folder(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ActivationIndexError(f"There is no activation index {path}: build one with this path") from error
    except OSError as error:
        raise ActivationIndexError(
            f"The activation index {path} cannot be read ({error.strerror}): {way_on(error, 'choose another path')}"
        ) from error
    return decode_index(data, path)


def not_writable(path: Path, error: OSError) -> ActivationIndexError:
    """Return the error for an index file that cannot be written."""
    return ActivationIndexError(f"The index cannot be written to {path} ({error.strerror}): {way_on(error, 'choose another path')}")


def _checksum(first: bytes, body: bytes | memoryview) -> bytes:
    digest = hashlib.sha256(first)
    digest.update(body)
    return digest.hexdigest().encode()


def _metadata(body: memoryview) -> str:
    """Return the JSON of the manifest from a safetensors file."""
    header = int.from_bytes(body[:8], "little")
    if header > min(_MAX_HEADER, len(body) - 8):
        raise StrictJsonError(f"its header would have {header:,} bytes")
    text = parse_json(bytes(body[8 : 8 + header]), _MAX_HEADER)["__metadata__"]["index"]
    if not isinstance(text, str):
        raise StrictJsonError("its manifest is not text")
    return text


def damaged(name: object, reason: str) -> ActivationIndexError:
    """Return the error for an index file that cannot be used, for a reason that is a clause."""
    return ActivationIndexError(f"{name} is a damaged activation index: {reason}. {REPLACE}")


def _folder(path: Path) -> ActivationIndexError:
    if os.path.exists(path / _OLD_MANIFEST):
        return ActivationIndexError(
            f"{path} is a folder, as earlier versions of deconvwidgets saved activation indexes, which this version does not read. "
            "Delete the folder and build the index again, or choose another path"
        )
    return ActivationIndexError(f"{path} is a folder. Give the path of a file in it, such as {path / 'alexnet.index'}")
