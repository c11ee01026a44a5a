"""What a checkpoint of PyTorch Lightning tells of its epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LIGHTNING_VERSION = "pytorch-lightning_version"  # an entry of each of its checkpoints


def completed_epochs(content: Mapping[str, Any]) -> int | None:
    """Return the completed epochs of a checkpoint's content; None if it was saved within an epoch, or does not tell.

    Lightning's entry "epoch" counts from 0 and may be that of the current epoch or of the next one: its loops tell.
    """
    try:
        loop = content["loops"]["fit_loop"]
        current = loop["epoch_progress"]["current"]
        started, completed = int(current["started"]), int(current["processed"])
        last_batch = loop["epoch_loop.batch_progress"]["is_last_batch"]
    except (KeyError, TypeError, ValueError):
        return None
    if started == completed:
        return completed
    return completed + 1 if last_batch is True else None
