"""The memory format of the maps in a pass: channels_last where it is faster, by a rule."""

from __future__ import annotations

import copy
from itertools import chain

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


def in_memory_format(network: Network, memory_format: MemoryFormat) -> Network:
    """Return a network whose convolutions have their weights in a memory format. The given one is left unchanged.

    A copy shares all parameters and buffers that have no memory format, such as those of fully connected layers.
    """
    if memory_format != "channels_last":
        return network
    tensors = chain(network.model.parameters(), network.model.buffers())
    converted = copy.deepcopy(network, {id(tensor): tensor for tensor in tensors if tensor.dim() != 4})
    converted.model.to(memory_format=torch.channels_last)
    return converted


def input_in_format(pixels: Tensor, memory_format: MemoryFormat) -> Tensor:
    """Return pixels (N, C, H, W) in a memory format."""
    return pixels.contiguous(memory_format=torch.channels_last if memory_format == "channels_last" else torch.contiguous_format)
