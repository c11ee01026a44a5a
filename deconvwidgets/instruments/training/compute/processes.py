"""The processes that train together, by torch.distributed; one process alone is the usual case."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from deconvwidgets.errors import TrainingError
from deconvwidgets.models.devices import checked_device

_TORCHRUN = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among those that train together.

    Attributes
    ----------
    rank : int
        The number of this process. Only process 0 writes files and shows progress.
    count : int
        The number of processes.
    device : torch.device
        The device of this process.
    """

    rank: int
    count: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def wrapped(self, model: nn.Module) -> nn.Module:
        """Return the model, which averages its gradients over the processes if there are several."""
        if self.count == 1:
            return model
        return DistributedDataParallel(model, device_ids=None if self.device.type == "cpu" else [self.device])

    def share_buffers(self, model: nn.Module) -> None:
        """Set the buffers of all processes, such as the statistics of batch norm, to those of process 0."""
        if self.count > 1:
            for buffer in model.buffers():
                dist.broadcast(buffer, 0)

    def sum(self, values: Tensor) -> Tensor:
        """Return the sums over the processes, in place."""
        if self.count > 1:
            dist.all_reduce(values)
        return values

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """Return which flags are set in any of the processes."""
        if self.count == 1:
            return flags
        values = torch.tensor([int(flag) for flag in flags], device=self.device)
        dist.all_reduce(values, dist.ReduceOp.MAX)
        return tuple(bool(value) for value in values.tolist())

    def wait_for_all(self) -> None:
        """Return once all processes have called this."""
        if self.count > 1:
            dist.barrier()


@contextmanager
def training_processes(device: str | torch.device) -> Iterator[Processes]:
    """Join the processes of torch.distributed, of torchrun, or be alone.

    Under torchrun, each process uses the GPU of its LOCAL_RANK with "auto" and "cuda".

    Raises
    ------
    TrainingError
        If the environment of torchrun is there and PyTorch has no torch.distributed.
    """
    started = False
    by_torchrun = all(name in os.environ for name in _TORCHRUN)
    if by_torchrun and not dist.is_available():
        raise TrainingError("This PyTorch is built without torch.distributed, so torchrun cannot train with it.")
    if by_torchrun and not dist.is_initialized():
        own = _own_device(device)
        dist.init_process_group("nccl" if own.type == "cuda" else "gloo")
        started = True
    try:
        if dist.is_available() and dist.is_initialized():
            yield Processes(dist.get_rank(), dist.get_world_size(), _own_device(device))
        else:
            yield Processes(0, 1, checked_device(device))
    finally:
        if started:
            dist.destroy_process_group()


def _own_device(device: str | torch.device) -> torch.device:
    chosen = checked_device(device)
    if chosen.type != "cuda" or chosen.index is not None:
        return chosen
    own = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
    torch.cuda.set_device(own)
    return own
