"""Notebooks that show pictures in place of widgets: `deconvwidgets freeze-notebook`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deconvwidgets.arguments import is_integer
from deconvwidgets.atomic_file import write_atomic
from deconvwidgets.errors import DeconvWidgetsError
from deconvwidgets.paths import parent_of, refuse_special_file

VIEW = "application/vnd.jupyter.widget-view+json"
_NO_TEXT = "A widget that has neither a picture nor a text."
_MAX_TEXT = 200  # characters
_HINT = "Give the path of an .ipynb file."


@dataclass(frozen=True, slots=True)
class Frozen:
    """The result of freezing a notebook.

    Parameters
    ----------
    pictures : int
        The number of widgets that are pictures now.
    texts : tuple of str
        The texts of the widgets that have no picture: they are shown as text.
    """

    pictures: int
    texts: tuple[str, ...]


def freeze_notebook(source: Path, target: Path, force: bool = False) -> Frozen:
    """Copy a notebook with the pictures of its widgets, and without their live views, which need the kernel that made them.

    Parameters
    ----------
    source : Path
        A notebook that was run.
    target : Path
        The copy.
    force : bool
        Whether `target` may be overwritten.

    Raises
    ------
    DeconvWidgetsError
        If `source` is not a notebook of format 4, if `target` exists, which may be `source` itself, and not `force`, or if it cannot be
        written.
    """
    notebook = _read(source)
    if not force and target.exists():
        raise DeconvWidgetsError(f"{target} exists. Choose another name, or overwrite it with --force.")
    if not parent_of(target).is_dir():
        raise DeconvWidgetsError(f"The folder of {target} does not exist; create it first.")
    frozen = _freeze(notebook)
    text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    try:
        write_atomic(target, text.encode("utf-8", "surrogatepass"))
    except OSError as error:
        raise DeconvWidgetsError(f"{target} cannot be written: {error.strerror}.") from error
    return frozen


def _read(path: Path) -> Any:
    """Return a notebook as the dict that its file contains."""
    refuse_special_file(path, DeconvWidgetsError, _HINT)
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DeconvWidgetsError(f"{path} cannot be read: {error.strerror}. {_HINT}") from error
    except (ValueError, RecursionError) as error:  # neither UTF-8 nor JSON
        raise DeconvWidgetsError(f"{path} is not a notebook: it does not contain JSON in UTF-8. {_HINT}") from error
    version = notebook.get("nbformat") if isinstance(notebook, dict) else None
    if is_integer(version) and version != 4:
        raise DeconvWidgetsError(f"{path} has the notebook format {version}: open it in JupyterLab and save it to convert it to format 4.")
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if version != 4 or not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise DeconvWidgetsError(f"{path} is not a notebook: it has no cells. {_HINT}")
    return notebook


def _freeze(notebook: dict[str, Any]) -> Frozen:
    """Drop the views and the state of the widgets."""
    pictures, texts = 0, []
    for output in _outputs(notebook):
        data = output["data"]
        if VIEW not in data:
            continue
        del data[VIEW]
        if isinstance(output.get("metadata"), dict):
            output["metadata"].pop(VIEW, None)
        if any(kind.startswith("image/") and value for kind, value in data.items()):
            pictures += 1
        else:
            texts.append(_text_of(data.setdefault("text/plain", _NO_TEXT)))
    if isinstance(notebook.get("metadata"), dict):
        notebook["metadata"].pop("widgets", None)
    return Frozen(pictures, tuple(texts))


def _outputs(notebook: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the outputs that have data of several kinds."""
    for cell in notebook["cells"]:
        outputs = cell.get("outputs")
        for output in outputs if isinstance(outputs, list) else []:
            if isinstance(output, dict) and isinstance(output.get("data"), dict):
                yield output


def _text_of(text: object) -> str:
    """Return the first line of a text, which notebooks store as a string or as a list of lines, shortened."""
    lines = text if isinstance(text, list) else [text]
    first = str(lines[0]).strip().partition("\n")[0] if lines else ""
    return first if len(first) <= _MAX_TEXT else f"{first[:_MAX_TEXT]}..."
