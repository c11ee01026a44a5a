"""The arithmetic of a pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from deconvwidgets.errors import ActivationIndexError
from deconvwidgets.index.options import Precision


def check_precision(precision: Precision, device: torch.device) -> None:
    """Raise ActivationIndexError if a device has no such arithmetic."""
    if precision == "tf32" and device.type != "cuda":
        raise ActivationIndexError(f"precision='tf32' needs a CUDA GPU, and the model is on {device}: choose 'fp32' or 'bf16'")


@contextmanager
def in_precision(precision: Precision, device: torch.device) -> Iterator[None]:
    """Run the model in a precision. PyTorch's settings for the GPU are restored afterwards."""
    if precision == "bf16":
        with torch.autocast(device.type, dtype=torch.bfloat16):
            yield
        return
    if device.type != "cuda":
        yield
        return
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    try:
        matmul.allow_tf32 = cudnn.allow_tf32 = precision == "tf32"
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before
