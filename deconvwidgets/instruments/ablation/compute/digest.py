"""A digest of the network that a variant trains, by which the same call is told from one with another network of the same name."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import torch
from torch import Tensor, nn

_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")  # in the repr of functions, another one in each process


def network_digest(built: nn.Module, given: nn.Module | None = None) -> str:
    """Return the SHA-256 of what a network computes and of the weights that it is given.

    Parameters
    ----------
    built : nn.Module
        The network. Its modules with their settings count, the names, shapes and types of parameters and buffers, and which are trained.
        Of modules that are not torch's, their plain attributes count too, as `forward` may read them. Initial weights do not count: they
        depend on the seed.
    given : nn.Module, optional
        The network whose weights are trained further. All its values count.
    """
    digest = hashlib.sha256(_ADDRESS.sub("", repr(built)).encode())
    for name, value in built.state_dict().items():
        if isinstance(value, Tensor):
            digest.update(f"\n{name} {tuple(value.shape)} {value.dtype}".encode())
    for name, parameter in built.named_parameters():
        digest.update(f"\n{name} {parameter.requires_grad}".encode())
    for name, module in built.named_modules():
        if not type(module).__module__.startswith("torch.nn."):
            digest.update(f"\n{name} {_plain_attributes(module)}".encode())
    for name, value in {} if given is None else given.state_dict().items():
        if isinstance(value, Tensor):
            digest.update(f"\n{name} ".encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _plain_attributes(module: nn.Module) -> list[tuple[str, Any]]:
    found = vars(module).items()
    return sorted((name, value) for name, value in found if not name.startswith("_") and name != "training" and _is_plain(value))


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)
