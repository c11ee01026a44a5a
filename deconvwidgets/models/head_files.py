"""Saving and loading of softmax heads, and the heads that are bundled with the package."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from deconvwidgets.arguments import describe
from deconvwidgets.atomic_file import way_on, write_atomic
from deconvwidgets.errors import HeadError
from deconvwidgets.paths import as_path, refuse_special_file
from deconvwidgets.records.heads import Head
from deconvwidgets.strict_json import parse_json

BUNDLED_HEADS_FOLDER = Path(__file__).with_name("bundled_heads")
BUNDLED_HEADS = {"caltech101": "alexnet-conv5-caltech101.safetensors"}
_FORMAT = "deconvwidgets head 1"
_DATASETS = {"caltech101": "Caltech-101", "caltech256": "Caltech-256"}
_ARRAYS = {"weight": ("float16", "float32"), "bias": ("float32",)}
_EXTENSION = ".safetensors"

HeadSource = Head | str | os.PathLike[str]


def save_head(head: Head, path: str | os.PathLike[str]) -> Path:
    """Save a head as a safetensors file. The file is written atomically.

    `weight` and `bias` are stored as tensors, the other fields as JSON in the metadata.

    Parameters
    ----------
    head : Head
        The head.
    path : str or path
        The file. ".safetensors" is added if it has no extension.

    Returns
    -------
    pathlib.Path
        The path of the file.

    Raises
    ------
    HeadError
        If the parts of the head do not fit together, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> head = load_head(BUNDLED_HEADS_FOLDER / BUNDLED_HEADS["caltech101"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load_head(save_head(head, f"{folder}/mine")).categories == head.categories
    True
    """
    require_head(head)
    target = head_path(path)
    arrays = {name: np.ascontiguousarray(getattr(head, name)) for name in _ARRAYS}
    described = {name: value for name, value in _fields(head).items() if name not in _ARRAYS}
    try:
        text = json.dumps(described, ensure_ascii=False, default=_plain, allow_nan=False)
    except ValueError as error:
        raise HeadError(f"The report of a head cannot be saved ({error}): remove infinite numbers and NaN from it.") from error
    metadata = {"format": _FORMAT, "head": text, "checksum": _checksum(text, arrays)}
    try:
        write_atomic(target, safetensors.numpy.save(arrays, metadata))
    except OSError as error:
        raise HeadError(
            f"The head cannot be saved as {target} ({error.strerror}). {way_on(error, 'Choose an existing folder with write permission')}."
        ) from error
    return target


def head_path(path: str | os.PathLike[str]) -> Path:
    """Return the path that `save_head` writes to: "~" is expanded, and ".safetensors" added if there is no extension."""
    target = as_path(path, "path", HeadError)
    return target if target.suffix or not target.name else target.with_suffix(_EXTENSION)


def load_head(path: str | os.PathLike[str]) -> Head:
    """Load a head that was saved with `save_head`.

    Parameters
    ----------
    path : str or path
        The file.

    Returns
    -------
    Head
        The head.

    Raises
    ------
    HeadError
        If the file does not exist, is damaged, or is not a head.

    Examples
    --------
    >>> load_head(BUNDLED_HEADS_FOLDER / BUNDLED_HEADS["caltech101"]).weight.shape
    (101, 9216)
    """
    source = as_path(path, "path", HeadError)
    refuse_special_file(source, HeadError, "Give the path of a file that was saved with save_head.")
    if not source.is_file():
        by_name = " or ".join(f"bundle.with_head({name!r})" for name in BUNDLED_HEADS)
        raise HeadError(
            f"There is no head file {source}. Give the path of a file that was saved with save_head, or use a bundled head: {by_name}."
        )
    try:
        with safetensors.safe_open(source, framework="numpy") as file:
            metadata: dict[str, str] = file.metadata() or {}
            if metadata.get("format") != _FORMAT:
                raise HeadError(
                    f"{source} is not a head of this version (format {metadata.get('format')!r}). Give a file saved with save_head."
                )
            arrays = {name: file.get_tensor(name) for name in _ARRAYS}
        text = metadata["head"]
        if metadata["checksum"] != _checksum(text, arrays):
            raise HeadError(f"{source} is damaged: its checksum is wrong. Save or download it again.")
        return require_head(_head_from(parse_json(text), arrays))
    except (safetensors.SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise HeadError(f"{source} is not a head, or is damaged ({error}). Give a file saved with save_head.") from error


def bundled_head(name: str) -> Head:
    """Load a head that is bundled with the package: "caltech101", on pool5 of AlexNet.

    Raises
    ------
    HeadError
        If there is no head of that name, or its file is missing.
    """
    if name not in BUNDLED_HEADS:
        raise HeadError(
            f"There is no bundled head {name!r}, only {', '.join(BUNDLED_HEADS)}. Give a Head, or the path of a file saved with save_head."
        )
    if not has_bundled_head(name):
        raise HeadError(
            f"The bundled head {name!r} ({BUNDLED_HEADS[name]}) is missing. Install deconvwidgets again, or train a head: "
            "report = dw.train_softmax_head(bundle, images); bundle.with_head(report.head)."
        )
    return load_head(BUNDLED_HEADS_FOLDER / BUNDLED_HEADS[name])


def has_bundled_head(name: str) -> bool:
    """Return whether the file of a bundled head exists."""
    return (BUNDLED_HEADS_FOLDER / BUNDLED_HEADS[name]).is_file()


def as_head(source: HeadSource) -> Head:
    """Return a head that is given as a Head, a path, or the name of a bundled head. Raises HeadError."""
    if isinstance(source, Head):
        return require_head(source)
    is_path = isinstance(source, str) and (source.endswith(_EXTENSION) or "/" in source or os.sep in source)
    if isinstance(source, os.PathLike) or is_path:
        return load_head(source)
    if isinstance(source, str):
        return bundled_head(source)
    names = ", ".join(BUNDLED_HEADS)
    raise HeadError(f"head must be a Head (report.head), a path, or one of {names}, not {describe(source)}.")


def require_head(head: object) -> Head:
    """Return `head` if it is a Head whose parts fit together, and raise HeadError otherwise."""
    if not isinstance(head, Head):
        raise HeadError(f"head must be a Head, not {describe(head)}: use dw.train_softmax_head(...).head or dw.load_head(path).")
    for name, kinds in _ARRAYS.items():
        kind = getattr(getattr(head, name), "dtype", "not an array")
        if kind not in kinds:
            raise HeadError(f"The {name} of a head must be an array of {' or '.join(kinds)}; here it is {kind}.")
    classes, weight, bias = len(head.categories), head.weight.shape, head.bias.shape
    if classes < 1 or len(weight) != 2 or weight[0] != classes or bias != (classes,):
        raise HeadError(f"A head of {classes} classes cannot have weights {weight} and biases {bias}: train it again.")
    if not (np.isfinite(head.weight).all() and np.isfinite(head.bias).all()):
        raise HeadError("The head's weights are not all finite (the maximum of float16 is 65,504): scale the features and train it again.")
    return head


def describe_classes(head: Head) -> str:
    """Return a description of the classes of a head: "Caltech-101's 101 classes (head on pool5, 84.6%)"."""
    dataset = head.dataset.split(",")[0].strip()
    accuracy = head.report.get("accuracy")
    accuracy_text = f", {100 * accuracy:.1f}%" if isinstance(accuracy, int | float) else ""
    muted = head.report.get("muted")
    muted_text = f", without {muted}" if muted else ""
    units = head.report.get("units")
    units_text = f", trained with {units}" if units else ""  # its accuracy is that with these units: they may be on now
    surgery_text = ", trained before the surgery" if "surgery" in head.report else ""
    name = _DATASETS.get(dataset, dataset)
    possessive = name + ("'" if name.endswith("s") else "'s")
    on = f"{head.alias or head.layer}{accuracy_text}{muted_text}{units_text}{surgery_text}"
    return f"{possessive} {len(head.categories):,} classes (head on {on})"


def _fields(head: Head) -> dict[str, Any]:
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in asdict(head).items()}


def _plain(value: object) -> object:
    """Convert a NumPy scalar to a Python number."""
    if isinstance(value, np.generic):
        return value.item()
    raise HeadError(f"The report of a head can contain numbers and strings, not {value!r}: remove it, or convert it to a string.")


def _head_from(described: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Head:
    """Return the head of decoded JSON and arrays. Raises KeyError, TypeError or ValueError for unexpected fields."""
    pool, alias = described.pop("pool"), described.pop("alias")
    pool_size = None if pool is None else (int(pool[0]), int(pool[1]))
    categories, report = tuple(str(name) for name in described.pop("categories")), dict(described.pop("report"))
    texts = {name: str(value) for name, value in described.items()}
    return Head(
        pool=pool_size, alias=None if alias is None else str(alias), categories=categories, report=report,
        weight=arrays["weight"], bias=arrays["bias"], **texts,
    )  # fmt: skip


def _checksum(text: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    hasher = hashlib.sha256(text.encode("utf-8", "surrogatepass"))
    for name in _ARRAYS:
        hasher.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode() + arrays[name].tobytes())
    return hasher.hexdigest()
