"""Walking autograd's graph of derivatives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor


def autograd_nodes(tensor: Tensor) -> Iterator[Any]:
    """Yield the nodes of autograd's graph that a tensor was computed by, from its own to those of the leaves, each once."""
    visited: set[Any] = set()
    pending = [tensor.grad_fn]
    while pending:
        node = pending.pop()
        if node is None or node in visited:
            continue
        visited.add(node)
        yield node
        pending.extend(next_node for next_node, _ in node.next_functions)
