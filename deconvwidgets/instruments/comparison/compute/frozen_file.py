"""The file of frozen units: one JSON document with a version and the SHA-256 of its content.

The digest is of the content in canonical form (sorted names, no spaces), so that another layout of the same document is not damage.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from deconvwidgets.arguments import describe
from deconvwidgets.atomic_file import way_on, write_atomic
from deconvwidgets.errors import ComparisonError
from deconvwidgets.instruments.comparison.compute.frozen_values import content_of, units_of
from deconvwidgets.instruments.comparison.frozen_records import FrozenUnits
from deconvwidgets.paths import as_path, kind_of, parent_of
from deconvwidgets.strict_json import MAX_BYTES, StrictJsonError, read_json

FORMAT = "deconvwidgets frozen units"
VERSION = 1
_WAY_ON = "Write it again with deconvwidgets freeze, or restore it"


def target_file(path: str | os.PathLike[str], overwrite: bool) -> Path:
    """Return the path of a file that is to be written. Raises ComparisonError if that is not possible; it is asked before long work."""
    target = as_path(path, "path", ComparisonError)
    if not parent_of(target).is_dir():
        raise ComparisonError(f"The folder of {target} does not exist; create it first.")
    kind = kind_of(target)
    if kind not in (None, "file"):
        raise ComparisonError(f"{target} is a {kind}. Give the path of a file, such as units.json.")
    if kind == "file" and not overwrite:
        raise ComparisonError(f"{target} exists. Replace it with overwrite=True (--overwrite), or choose another name.")
    return target


def write_frozen(frozen: FrozenUnits, target: Path) -> int:
    """Write the file atomically, and return its size in bytes. Raises ComparisonError if it is too large or cannot be written."""
    content = content_of(frozen)
    document = {"format": FORMAT, "version": VERSION, "sha256": digest_of_content(content), "content": content}
    data = (json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":")) + "\n").encode()
    if len(data) > MAX_BYTES:
        raise ComparisonError(
            f"The file would have {len(data) / 1e6:,.0f} MB, more than {MAX_BYTES / 1e6:,.0f}: freeze fewer layers (layers=[...]), samples "
            "or projections."
        )
    try:
        write_atomic(target, data)
    except OSError as error:
        raise ComparisonError(
            f"{target} cannot be written ({error.strerror}). {way_on(error, 'Choose a folder with write permission')}."
        ) from error
    return len(data)


def read_frozen(path: str | os.PathLike[str]) -> FrozenUnits:
    """Read a file of frozen units.

    Raises
    ------
    ComparisonError
        If there is no such file, and if it is damaged, something else, or of a later version.
    """
    source = as_path(path, "frozen", ComparisonError)
    kind = kind_of(source)
    if kind != "file":
        what = f"There is no file {source}" if kind is None else f"{source} is a {kind}, not a file"
        raise ComparisonError(f"{what}. Write one with deconvwidgets freeze --out {source.name}.")
    try:
        content = _checked_content(read_json(source), source)
        return units_of(content)
    except OSError as error:
        raise ComparisonError(f"{source} cannot be read ({error.strerror}). Check its permissions.") from error
    except (StrictJsonError, ValueError, KeyError, TypeError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise ComparisonError(f"{source} is no file of frozen units, or is damaged ({reason}). {_WAY_ON}.") from error


def digest_of_content(content: Any) -> str:
    """Return the SHA-256 of plain values, in the canonical form of JSON."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _checked_content(document: Any, source: Path) -> dict[str, Any]:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"its format is {describe(document.get('format') if isinstance(document, dict) else document)}, not {FORMAT!r}")
    version = document.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ValueError(f"its version is {describe(version)}")
    if version > VERSION:
        raise ComparisonError(
            f"{source} has version {version} of the format, and this deconvwidgets reads up to {VERSION}. Install the version that wrote "
            "it, or a later one."
        )
    content = document["content"]
    if not isinstance(content, dict):
        raise ValueError(f"its content is {describe(content)}")
    if document.get("sha256") != digest_of_content(content):
        raise ValueError("its SHA-256 does not match its content")
    return content
