"""Gradients for what trains, whatever the caller has switched off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def with_gradients() -> Iterator[None]:
    """Record gradients within, and make ordinary tensors, also under `torch.no_grad`, `set_grad_enabled(False)` and `inference_mode`.

    The caller's mode is as before afterwards.
    """
    with torch.inference_mode(False), torch.enable_grad():
        yield
