"""Whose head answers: run's heads and saved ones put in place, and taken back in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import RLock

from deconvwidgets.errors import HeadError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.head_files import HeadSource, head_path, load_head, save_head
from deconvwidgets.records.layers import Head


@dataclass(frozen=True, slots=True)
class _Before:
    bundle: ModelBundle
    used: tuple[int, Head] | None


class HeadStack:
    """Thread-safe. `answering` gives the bundle that answers now, `answer_with` puts another in its place."""

    def __init__(self, answering: Callable[[], ModelBundle], answer_with: Callable[[ModelBundle], None]) -> None:
        self._answering = answering
        self._answer_with = answer_with
        self._lock = RLock()
        self._used: tuple[int, Head] | None = None
        self._before: list[_Before] = []

    @property
    def used(self) -> int | None:
        """The run whose head answers."""
        used = self._used
        return used[0] if used is not None and self._answering().head is used[1] else None

    @property
    def can_undo(self) -> bool:
        """Whether a head was put in place here."""
        return bool(self._before)

    def put(self, head: HeadSource, run: int | None = None) -> str:
        """Answer with a head, and say what changed. Raises HeadError, and changes nothing, for one that does not fit."""
        with self._lock:
            before = _Before(self._answering(), self._used)
            bundle = before.bundle.with_head(head)
            self._answer_with(bundle)
            self._before.append(before)
            self._used = (run, bundle.head) if run is not None and bundle.head is not None else None
            return _changed(bundle, before.bundle, "now answers")

    def undo(self) -> str:
        """Answer as before the last `put`. Raises HeadError where there was none."""
        with self._lock:
            if not self._before:
                raise HeadError("There is nothing to undo: no head was put in place here.")
            now, before = self._answering(), self._before[-1]
            self._answer_with(before.bundle)
            self._before.pop()
            self._used = before.used
            return _changed(before.bundle, now, "answers again")


def save_run_head(head: Head, path: str) -> str:
    """Save a head, and say where. Raises HeadError for no path, and for a file that is no head, which is left alone."""
    if not isinstance(path, str) or not path.strip():
        raise HeadError("Where to save the head? Give a path on the machine that the notebook runs on, such as 'my-head.safetensors'.")
    target = head_path(path.strip())
    replaced = target.exists()
    for folder in (Path(path.strip()).expanduser(), target):
        if folder.is_dir():
            raise HeadError(f"{folder.resolve()} is a folder: give the path of a file in it.")
    if replaced:
        try:
            load_head(target)
        except HeadError as error:
            raise HeadError(f"{target.resolve()} is there already and is no head, so it was left alone. Choose another name.") from error
    saved = save_head(head, target).resolve()
    return f"Saved as {saved}{', in the place of the head that was there' if replaced else ''}."


def _changed(now: ModelBundle, before: ModelBundle, verb: str) -> str:
    return f"{now.name} {verb} {_classes(now)}; before: {before.classifier or 'no classifier'}."


def _classes(bundle: ModelBundle) -> str:
    return f"with {bundle.classifier}" if bundle.classifier else "without a classifier"
