"""Loss and correct predictions of batches, summed over images on the device."""

from __future__ import annotations

import torch
from torch import Tensor

from deconvwidgets.instruments.training.compute.counters import Sums
from deconvwidgets.instruments.training.compute.processes import Processes


class DeviceSums:
    """Sums over images that stay on the device until they are asked for, so that a GPU is not waited for in each step.

    Parameters
    ----------
    processes : Processes
        The processes that share the batches.
    """

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        precise = torch.float32 if processes.device.type == "mps" else torch.float64
        self._sums = torch.zeros(4, dtype=precise, device=processes.device)

    def add(self, losses: Tensor, logits: Tensor, labels: Tensor, weights: Tensor) -> None:
        """Add a batch: the loss of each image (n,), logits (n, classes), labels (n,), and 0 for images that do not count."""
        with torch.no_grad():
            top = logits.topk(min(5, logits.shape[1]), dim=1).indices == labels[:, None]
            values = torch.stack([torch.ones_like(losses), losses, top[:, 0], top.any(1)]).to(self._sums.dtype)
            self._sums += (values * weights).sum(1)

    @property
    def finite(self) -> bool:
        """Whether the loss of this process is finite."""
        return bool(torch.isfinite(self._sums[1]))

    def take(self) -> Sums:
        """Return the sums of all processes since the last call, and begin anew."""
        values = self._processes.sum(self._sums.clone())
        self._sums.zero_()
        return Sums(*map(float, values.tolist()))
