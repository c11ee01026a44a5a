"""Softmax heads in files: saved whole or not at all, refused where damaged or foreign, and the one that the package ships."""

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

from deconvwidgets.atomic_file import write_atomic
from deconvwidgets.errors import HeadError
from deconvwidgets.records.heads import Head

BUNDLED_HEADS_FOLDER = Path(__file__).with_name("bundled_heads")
BUNDLED_HEADS = {"caltech101": "alexnet-conv5-caltech101.safetensors"}
_FORMAT = "deconvwidgets head 1"
_DATASETS = {"caltech101": "Caltech-101", "caltech256": "Caltech-256"}
_ARRAYS = {"weight": ("float16", "float32"), "bias": ("float32",)}
_ENDING = ".safetensors"

HeadSource = Head | str | os.PathLike[str]


def save_head(head: Head, path: str | os.PathLike[str]) -> Path:
    """Write a head as safetensors: `weight` and `bias` as they are, everything else as JSON in its metadata. The file is replaced whole
    or left as it was. Returns its path, ".safetensors" added where it has no ending.

    Raises HeadError for a head whose parts do not fit together, or where the file cannot be written.
    """
    require_head(head)
    target = head_path(path)
    arrays = {name: np.ascontiguousarray(getattr(head, name)) for name in _ARRAYS}
    described = {name: value for name, value in _fields(head).items() if name not in _ARRAYS}
    words = json.dumps(described, ensure_ascii=False, default=_plain)
    metadata = {"format": _FORMAT, "head": words, "checksum": _checksum(words, arrays)}
    try:
        write_atomic(target, safetensors.numpy.save(arrays, metadata))
    except OSError as error:
        raise HeadError(
            f"The head cannot be saved as {target} ({error.strerror}). Choose a folder that exists and can be written to."
        ) from error
    return target


def head_path(path: str | os.PathLike[str]) -> Path:
    """Where `save_head` writes: the home folder spelled out, ".safetensors" added where there is no ending."""
    target = Path(path).expanduser()
    return target if target.suffix or not target.name else target.with_suffix(_ENDING)


def load_head(path: str | os.PathLike[str]) -> Head:
    """A head that `save_head` wrote. Raises HeadError for a missing, damaged or foreign file."""
    source = Path(path).expanduser()
    if not source.is_file():
        by_name = " or ".join(f"bundle.with_head({name!r})" for name in BUNDLED_HEADS)
        raise HeadError(
            f"There is no head file {source}. Give the path of a file that save_head wrote; what is shipped goes by name: {by_name}."
        )
    try:
        with safetensors.safe_open(source, framework="numpy") as file:
            metadata: dict[str, str] = file.metadata() or {}
            if metadata.get("format") != _FORMAT:
                raise HeadError(
                    f"{source} holds no head of this version (format {metadata.get('format')!r}). Give a file that save_head wrote."
                )
            arrays = {name: file.get_tensor(name) for name in _ARRAYS}
        words = metadata["head"]
        if metadata["checksum"] != _checksum(words, arrays):
            raise HeadError(f"{source} is damaged: its contents are not those that were saved. Save or fetch it again.")
        return require_head(_head_of(json.loads(words), arrays))
    except (safetensors.SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise HeadError(f"{source} is no head, or is damaged ({error}). Give a file that save_head wrote, or save it again.") from error


def bundled_head(name: str) -> Head:
    """A head that comes with the package: "caltech101", on AlexNet's pool5.

    Raises HeadError for another name, and where this installation lacks its file.
    """
    if name not in BUNDLED_HEADS:
        raise HeadError(
            f"No head {name!r} is shipped; there is {', '.join(BUNDLED_HEADS)}. Give a Head, or the path of a file that save_head wrote."
        )
    if not has_bundled_head(name):
        raise HeadError(
            f"This installation lacks the shipped head {name!r} ({BUNDLED_HEADS[name]}): install deconvwidgets again, or train one: "
            "report = dw.train_softmax_head(bundle, images); bundle.with_head(report.head)."
        )
    return load_head(BUNDLED_HEADS_FOLDER / BUNDLED_HEADS[name])


def has_bundled_head(name: str) -> bool:
    """Whether the file of a shipped head is there."""
    return (BUNDLED_HEADS_FOLDER / BUNDLED_HEADS[name]).is_file()


def as_head(what: HeadSource) -> Head:
    """A head given as itself, by the name of a shipped one, or by a file's path. Raises HeadError."""
    if isinstance(what, Head):
        return require_head(what)
    if isinstance(what, os.PathLike) or (isinstance(what, str) and (what.endswith(_ENDING) or "/" in what or os.sep in what)):
        return load_head(what)
    if isinstance(what, str):
        return bundled_head(what)
    raise HeadError(f"A {type(what).__name__} is no head: give a Head (report.head), a file's path, or one of: {', '.join(BUNDLED_HEADS)}.")


def require_head(head: object) -> Head:
    """`head`, if its parts fit together. Raises HeadError."""
    if not isinstance(head, Head):
        raise HeadError(f"A Head is needed here, not a {type(head).__name__}: dw.train_softmax_head(...).head is one, load_head(path) too.")
    for name, kinds in _ARRAYS.items():
        kind = getattr(getattr(head, name), "dtype", "no array")
        if kind not in kinds:
            raise HeadError(f"A head's {name} is an array of {' or '.join(kinds)}; this one's is {kind}.")
    classes, weight, bias = len(head.categories), head.weight.shape, head.bias.shape
    if classes < 1 or len(weight) != 2 or weight[0] != classes or bias != (classes,):
        raise HeadError(f"A head of {classes} classes cannot have weights {weight} and biases {bias}: train it again.")
    if not (np.isfinite(head.weight).all() and np.isfinite(head.bias).all()):
        raise HeadError("The head's weights are not all finite numbers (float16 ends at 65,504): scale the features and train it again.")
    return head


def describe_classes(head: Head) -> str:
    """Whose classes a head answers with: "Caltech-101's 101 classes (head on pool5, 84.6 %)"."""
    trained_on = head.dataset.split(",")[0].strip()
    accuracy = head.report.get("accuracy")
    reached = f", {100 * accuracy:.1f} %" if isinstance(accuracy, int | float) else ""
    name = _DATASETS.get(trained_on, trained_on)
    whose = name + ("'" if name.endswith("s") else "'s")
    return f"{whose} {len(head.categories):,} classes (head on {head.alias or head.layer}{reached})"


def _fields(head: Head) -> dict[str, Any]:
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in asdict(head).items()}


def _plain(value: object) -> object:
    """A NumPy number of a report as Python's own."""
    if isinstance(value, np.generic):
        return value.item()
    raise HeadError(f"A head's report holds numbers and words, not {value!r}: leave it out, or put it in words.")


def _head_of(words: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Head:
    """The record of what JSON gives back: lists become tuples again. Raises TypeError or ValueError for other fields than a head's."""
    pool, alias = words.pop("pool"), words.pop("alias")
    rows_columns = None if pool is None else (int(pool[0]), int(pool[1]))
    categories, report = tuple(str(name) for name in words.pop("categories")), dict(words.pop("report"))
    texts = {name: str(value) for name, value in words.items()}
    return Head(
        pool=rows_columns, alias=None if alias is None else str(alias), categories=categories, report=report,
        weight=arrays["weight"], bias=arrays["bias"], **texts,
    )  # fmt: skip


def _checksum(words: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    hasher = hashlib.sha256(words.encode("utf-8", "surrogatepass"))
    for name in _ARRAYS:
        hasher.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode() + arrays[name].tobytes())
    return hasher.hexdigest()
