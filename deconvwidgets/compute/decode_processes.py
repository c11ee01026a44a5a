"""Decoding in processes, by torch's DataLoader, and the reasons why it may not be possible."""

from __future__ import annotations

import ast
import io
import math
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from deconvwidgets.compute.decoded import DecodedBatch
from deconvwidgets.compute.decoder import CropDecoder
from deconvwidgets.errors import PictureError

_SHARED_MEMORY = "/dev/shm"

T = TypeVar("T")


def decoded_in_processes(
    decoder: CropDecoder, parts: Iterable[Sequence[int]], workers: int, prefetch: int
) -> Generator[DecodedBatch, None, None]:
    """Iterate over decoded parts, in their order. The processes end with the generator.

    Parameters
    ----------
    decoder : CropDecoder
        It is sent to every process: see `why_no_processes`.
    parts : iterable of sequences of int
        The crops that are decoded together.
    workers : int
        Number of processes.
    prefetch : int
        Number of parts that each of them decodes ahead.

    Raises
    ------
    PictureError
        If a process ends before its work does. Errors of the decoder are raised as they are.
    """
    loader = DataLoader(
        _Parts(decoder),
        batch_size=None,
        sampler=parts,
        num_workers=workers,
        collate_fn=_unchanged,
        # A process that is forked while other threads run can inherit a lock that nobody releases.
        multiprocessing_context="forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn",
        prefetch_factor=prefetch,
        worker_init_fn=_start_worker,
    )
    # In a thread of its own: in the main thread, torch raises the loss of a worker from whatever code runs when the signal comes.
    with ThreadPoolExecutor(1, thread_name_prefix="decode") as thread:
        iterators: list[Any] = []
        try:
            iterators.append(_result(thread, iter, loader))  # starts the processes
            while (part := _next(thread, iterators)) is not None:
                yield part
        finally:
            iterators.clear()  # the iterator stops its processes when nothing refers to it; the frames of an error would


def _result(thread: ThreadPoolExecutor, function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function of the loader returns. Raises PictureError if a process has ended."""
    try:
        return thread.submit(function, *arguments).result()
    except (RuntimeError, OSError, EOFError) as error:
        raise PictureError(
            f"A process that decodes images ended before its work did: {str(error).strip().rstrip('.')}. The system ends processes when "
            "memory is short: use fewer workers (workers=2), or decode in this process (workers=0)."
        ) from error


def _next(thread: ThreadPoolExecutor, iterators: Sequence[Any]) -> DecodedBatch | None:
    part: _Sent | _Failure | None = _result(thread, next, iterators[0], None)
    if isinstance(part, _Failure):
        part.error.add_note(part.text)
        raise part.error
    return None if part is None else replace(part.batch, pixels=part.pixels.numpy())


@dataclass(frozen=True)
class _Parts(Dataset[Any]):
    """The data set of the loader, whose indices are the crops of a part."""

    decoder: CropDecoder

    def __getitem__(self, part: Sequence[int]) -> _Sent | _Failure:
        try:
            batch = self.decoder.decode(part)
        except Exception as error:  # noqa: BLE001 - whatever the image set or the transform raises is raised again by the process that asked
            return _Failure(_picklable(error), f"In a process that decodes images:\n{traceback.format_exc()}")
        return _Sent(replace(batch, pixels=batch.pixels[:0]), torch.from_numpy(batch.pixels))


@dataclass(frozen=True)
class _Sent:
    """A batch whose pixels are a tensor, which torch sends in shared memory.

    In the pipe of the loader's queue they would need many writes, and a process that is killed during one leaves half a message there,
    which is waited for forever.
    """

    batch: DecodedBatch
    pixels: Tensor


@dataclass(frozen=True)
class _Failure:
    """An error of the decoder in another process."""

    error: Exception
    text: str


def _picklable(error: Exception) -> Exception:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception as problem:  # noqa: BLE001 - user-defined errors may fail in any way
        replacement = RuntimeError(f"{type(error).__name__}: {error}")
        replacement.add_note(f"The error itself cannot be sent to another process: {problem}")
        return replacement
    return error


def _unchanged(value: T) -> T:
    return value


def _start_worker(worker: int) -> None:
    """Leave Ctrl-C, which a terminal sends to all processes, to the process that asked, and end when that one has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    """End this process with its parent. Torch's own check looks at the fork server, which lives as long as its processes do."""
    parent.join()
    os._exit(1)


def why_no_processes(decoder: CropDecoder, ahead: int = 0) -> str | None:
    """Return why a decoder cannot work in other processes, `ahead` crops ahead, as a sentence; None if it can.

    New processes import what they need by name: the classes of a notebook have none, and a script whose work is not under
    ``if __name__ == "__main__":`` would start again in each of them.
    """
    if _free_shared_memory() < 4 * 3 * ahead * math.prod(decoder.input_size):  # float32, and three times as many crops for safety
        return f"{_SHARED_MEMORY} is nearly full or small (give a container more: docker run --shm-size=1g)"
    main = sys.modules["__main__"]
    if not _is_importable(main):
        return 'the script has no `if __name__ == "__main__":`, so it would start again in every process'
    try:
        _Pickler(io.BytesIO(), importable_main=_has_file(main)).dump(decoder)
    except _NotImportableError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - pickle raises several errors, and whatever the objects' own methods raise
        return f"the image set or the transform cannot be sent to another process ({str(error).splitlines()[0] if str(error) else error!r})"
    return None


def _free_shared_memory() -> float:
    if not os.path.isdir(_SHARED_MEMORY):
        return math.inf
    found = os.statvfs(_SHARED_MEMORY)
    return found.f_bavail * found.f_frsize


class _NotImportableError(Exception):
    pass


class _Pickler(pickle.Pickler):
    """Refuses what other processes cannot import."""

    def __init__(self, file: io.BytesIO, importable_main: bool) -> None:
        super().__init__(file, protocol=5, buffer_callback=lambda _: None)  # large arrays need not be copied to find out
        self._importable_main = importable_main

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, type | FunctionType):
            self._require_importable(value.__module__, value.__qualname__)
        return NotImplemented

    def _require_importable(self, module: str, name: str) -> None:
        if module != "__main__":
            package = module.partition(".")[0]
            if not any(finder.find_spec(package, None) for finder in sys.meta_path):
                raise _NotImportableError(f"{name} is in the module {module}, which is in no folder of sys.path: append its folder")
        elif not self._importable_main:
            raise _NotImportableError(f"{name} is defined in the notebook: put it into a module (a .py file) to decode in processes")


def _has_file(main: ModuleType) -> bool:
    return getattr(main, "__spec__", None) is not None or getattr(main, "__file__", None) is not None


def _is_importable(main: ModuleType) -> bool:
    """Return whether new processes can import the main module without starting its work; True if they do not import it."""
    path = getattr(main, "__file__", None)
    if path is None or not path.endswith(".py"):
        return True
    try:
        names = {node.id for node in ast.walk(ast.parse(Path(path).read_bytes())) if isinstance(node, ast.Name)}
    except (OSError, SyntaxError, ValueError):
        return False
    return "__name__" in names
