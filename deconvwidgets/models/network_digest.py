"""Digests of a network before training, by which the same call is told from one with another network of the same name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")  # in the repr of functions, another one in each process


def network_digest(built: nn.Module, given: nn.Module | None = None) -> str:
    """Return the SHA-256 of what a network computes, of which parameters are trained, and of the weights that it is given.

    Parameters
    ----------
    built : nn.Module
        The network. Its modules with their settings count, as in `settings_digest`, and which parameters are trained. Initial weights do
        not count: they depend on the seed.
    given : nn.Module, optional
        The network whose weights are trained further. All its values count.
    """
    frozen = (f"\n{name} {parameter.requires_grad}".encode() for name, parameter in built.named_parameters())
    shown = [_ADDRESS.sub("", repr(built)).encode()]
    return _digest(shown, _state(built), frozen, _attributes(built), () if given is None else _values(given))


def settings_digest(network: nn.Module) -> str:
    """Return the SHA-256 of what a network computes, whatever its weights are, and the same in each process.

    The names, types and settings of its modules count, and the names, shapes and types of parameters and buffers. Settings are attributes
    of numbers, texts and sequences of them, and the names of functions and classes. The code of modules does not count. Lazy modules must
    have been run.
    """
    return _digest(_settings(network), _state(network))


def weights_digest(network: nn.Module) -> str:
    """Return the SHA-256 of all parameters and buffers, but for those of lazy modules that have none yet."""
    return _digest(_values(network))


def _digest(*parts: Any) -> str:
    digest = hashlib.sha256()
    for part in parts:
        for data in part:
            digest.update(data)
    return digest.hexdigest()


def _settings(network: nn.Module) -> Iterator[bytes]:
    for name, module in network.named_modules():
        functions = [(key, str(getattr(value, "__name__", type(value).__name__))) for key, value in _public(module) if callable(value)]
        yield f"\n{name} {type(module).__name__} {_plain_attributes(module)} {functions}".encode()


def _state(network: nn.Module) -> Iterator[bytes]:
    for name, value in network.state_dict().items():
        if isinstance(value, Tensor):
            yield f"\n{name} {tuple(value.shape)} {value.dtype}".encode()


def _attributes(network: nn.Module) -> Iterator[bytes]:
    for name, module in network.named_modules():
        if not type(module).__module__.startswith("torch.nn."):
            yield f"\n{name} {_plain_attributes(module)}".encode()


def _values(network: nn.Module) -> Iterator[bytes | memoryview]:
    for name, value in network.state_dict().items():
        if isinstance(value, Tensor) and not is_lazy(value):
            yield f"\n{name} ".encode()
            yield value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data


def _plain_attributes(module: nn.Module) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in _public(module) if _is_plain(value)]


def _public(module: nn.Module) -> list[tuple[str, Any]]:
    found = sorted(vars(module).items(), key=lambda entry: entry[0])
    return [(name, value) for name, value in found if not name.startswith("_") and name != "training"]


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)
