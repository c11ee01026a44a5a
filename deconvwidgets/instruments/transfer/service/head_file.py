"""Saving a run's head to a file on the kernel's machine."""

from __future__ import annotations

from deconvwidgets.errors import HeadError
from deconvwidgets.models.head_files import head_path, load_head, save_head
from deconvwidgets.paths import as_path
from deconvwidgets.records.heads import Head


def save_run_head(head: Head, path: str) -> str:
    """Save a head, and return a sentence that names the file.

    Raises
    ------
    HeadError
        For an empty path or a folder, and for an existing file that is not a head, which is left unchanged.
    """
    if not isinstance(path, str) or not path.strip():
        raise HeadError("Give a path on the machine that the notebook runs on, such as 'my-head.safetensors'.")
    target = head_path(path.strip())
    replaced = target.exists()
    for folder in (as_path(path.strip(), "path", HeadError), target):
        if folder.is_dir():
            raise HeadError(f"{folder.resolve()} is a folder: give the path of a file in it.")
    if replaced:
        try:
            load_head(target)
        except HeadError as error:
            raise HeadError(f"{target.resolve()} exists and is not a head, so it was left unchanged. Choose another name.") from error
    saved = save_head(head, target).resolve()
    return f"Saved as {saved}{', replacing the head in that file' if replaced else ''}."
