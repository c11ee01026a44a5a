"""The memory format of the maps in a pass: channels_last where it is faster, by a rule."""

from __future__ import annotations

import torch
from torch import Tensor

from deconvwidgets.engine import Network
from deconvwidgets.engine.example import reference_tensor
from deconvwidgets.index.options import IndexOptions, MemoryFormat


def resolved_memory_format(options: IndexOptions, network: Network) -> MemoryFormat:
    """Return the memory format that a pass uses.

    It is channels_last for traced models with convolutions on the CPU in float32, and on CUDA with bfloat16 or TensorFloat-32. It does not
    depend on measured times: both formats may round differently, and an index must not depend on how busy a machine is.
    """
    if options.memory_format != "auto":
        return options.memory_format
    graph, reference = network.graph, reference_tensor(network.model)
    if graph is None or not any(operation.op.role == "convolution" for operation in graph.operations.values()):
        return "contiguous"
    faster = {"cpu": reference.dtype == torch.float32, "cuda": options.precision != "fp32"}
    return "channels_last" if faster.get(reference.device.type, False) else "contiguous"


def input_in_format(pixels: Tensor, memory_format: MemoryFormat) -> Tensor:
    """Return pixels (N, C, H, W) in a memory format."""
    return pixels.contiguous(memory_format=torch.channels_last if memory_format == "channels_last" else torch.contiguous_format)
