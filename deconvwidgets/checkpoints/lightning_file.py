"""What a checkpoint of PyTorch Lightning tells of its epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LIGHTNING_VERSION = "pytorch-lightning_version"  # an entry of each of its checkpoints


def completed_epochs(content: Mapping[str, Any]) -> int | None:
    """Return the completed epochs of a checkpoint's content; None if it was saved within an epoch, or does not tell.

    Lightning's entry "epoch" counts from 0 and is the current one, which is completed or not: its loops tell.
    """
    epoch = content.get("epoch")
    try:
        loop = content["loops"]["fit_loop"]
        processed = loop["epoch_progress"]["current"]["processed"]
        last_batch = loop["epoch_loop.batch_progress"]["is_last_batch"]
    except (KeyError, TypeError):
        return None
    if not isinstance(epoch, int) or not isinstance(processed, int):
        return None
    if processed > epoch or last_batch is True:
        return epoch + 1
    return None
