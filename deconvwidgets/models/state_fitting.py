"""State dicts fitted to a model: the prefix of the names is found by comparing them, not by guessing; its values must be finite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from deconvwidgets.errors import ModelError

StateDict = dict[str, Tensor]

# The names that wrappers of a module insert: torch.compile, FullyShardedDataParallel, and activation checkpointing.
WRAPPER_NAMES = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
# Buffers that are weights or statistics, as those of batch norm. Others may be infinite, such as a mask or the range of an observer.
_JUDGED_BUFFERS = ("running_mean", "running_var", "weight", "bias")
_COUNT = "n_averaged"  # a buffer that torch.optim.swa_utils.AveragedModel adds to those of its model


def plain_name(name: str) -> str:
    """Return the name of a tensor without the names that wrappers insert."""
    return ".".join(part for part in name.split(".") if part not in WRAPPER_NAMES)


def without_prefix(expected: Iterable[str], state: Mapping[str, Tensor], path: Path | str, prefix: str | None = None) -> StateDict:
    """Return the part of a state dict that is the model's, under the model's names.

    Parameters
    ----------
    expected : iterable of str
        The names of the model's state dict.
    state : mapping of str to Tensor
        The state dict of a file. The names that torch.compile and other wrappers insert are removed.
    path : pathlib.Path or str
        The file, or another source, for the error message.
    prefix : str, optional
        The prefix of the model's tensors in the file, such as "model.". By default the one under which the file has all of the
        model's tensors.

    Returns
    -------
    dict of str to Tensor
        Those with the prefix. If no prefix fits, that under which most of the model's tensors are, so that a comparison with the
        model shows what is missing.

    Raises
    ------
    ModelError
        If several prefixes fit, and the tensors differ.
    """
    names = frozenset(expected)
    plain = {plain_name(name): tensor for name, tensor in state.items() if name != _COUNT or name in names}
    needed = {name for name in names if not name.endswith("num_batches_tracked")}
    counts = Counter(start for name in plain for start, rest in _splits(name) if rest in needed)
    complete = [start for start, count in counts.items() if count == len(needed)]
    if prefix is not None:
        return _under(prefix, plain, complete)
    if not complete:
        return _under(max(counts, key=lambda start: (counts[start], -len(start)), default=""), plain)
    if len(complete) == 1:
        return _under(complete[0], plain)
    first, *others = (_under(start, plain, complete) for start in sorted(complete))
    if any(not _equal(first, other, needed) for other in others):
        listed = " and ".join(repr(start) for start in sorted(complete))
        raise ModelError(
            f"{path} has the model several times, with other values: under {listed}. Say which one: "
            f"dw.open_checkpoints(..., prefix={sorted(complete)[0]!r})."
        )
    return first


def check_finite(model: nn.Module, state: Mapping[str, Tensor], path: Path | str) -> None:
    """Raise ModelError, which names the tensor and the file, if a parameter or a statistic of batch norm of a model is not finite.

    Parameters
    ----------
    model : torch.nn.Module
    state : mapping of str to Tensor
        Under the model's names. Other buffers than statistics are not judged.
    path : pathlib.Path or str
        The file, or another source, for the error message.
    """
    buffers = {name for name, _ in model.named_buffers(remove_duplicate=False) if name.rpartition(".")[2] not in _JUDGED_BUFFERS}
    for name, tensor in state.items():
        # A finite sum is that of finite values, and computed faster than the check of each of them.
        if name in buffers or not tensor.is_floating_point() or bool(tensor.sum(dtype=torch.float32).isfinite()):
            continue
        if not bool(torch.isfinite(tensor).all()):
            raise ModelError(
                f"{name} in {path} contains nan or infinite values: the training diverged, or the file is damaged. Use a checkpoint of an "
                "earlier epoch, or copy the file again."
            )


def _splits(name: str) -> Iterable[tuple[str, str]]:
    """Yield the ways to split a dotted name into a prefix, "" or one that ends in a dot, and the rest."""
    yield "", name
    for position, character in enumerate(name):
        if character == ".":
            yield name[: position + 1], name[position + 1 :]


def _under(prefix: str, state: Mapping[str, Tensor], copies: Sequence[str] = ()) -> StateDict:
    """Return the tensors under a prefix, without those under longer prefixes of other copies of the model, such as "ema."."""
    others = tuple(other for other in copies if other != prefix and other.startswith(prefix))
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix) and not name.startswith(others)}


def _equal(first: StateDict, other: StateDict, names: Iterable[str]) -> bool:
    return all(torch.equal(first[name], other[name]) for name in names)
