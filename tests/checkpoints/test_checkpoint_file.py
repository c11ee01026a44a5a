"""The file of a checkpoint: every tensor comes back, and a changed, foreign or future file is refused in words."""

import struct
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deconvwidgets.checkpoints.checkpoint_file import (
    checkpoint_path,
    epoch_of,
    read_checkpoint_file,
    read_header,
    tensors_digest,
    write_checkpoint,
)
from deconvwidgets.errors import CheckpointError
from tests.checkpoints.nets import make_net

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool]
STATES = st.dictionaries(
    st.text("abc.ä_0", min_size=1, max_size=6),
    st.tuples(st.sampled_from(DTYPES), st.lists(st.integers(0, 3), max_size=4)),
    max_size=5,
)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(state=STATES, epoch=st.integers(0, 10**9))
def test_every_tensor_comes_back(state, epoch, tmp_path_factory):
    folder = tmp_path_factory.mktemp("round")
    tensors = {name: (torch.rand(shape) * 9).to(dtype) for name, (dtype, shape) in state.items()}
    path = write_checkpoint(folder, epoch, tensors, architecture="zfnet")
    read = read_checkpoint_file(path)
    assert (read.epoch, read.architecture, path) == (epoch, "zfnet", checkpoint_path(folder, epoch))
    assert epoch_of(path) == epoch
    assert (epoch, read.digest) == read_header(path)
    assert set(read.state) == set(tensors)
    for name, tensor in tensors.items():
        assert read.state[name].dtype == tensor.dtype
        assert torch.equal(read.state[name], tensor)


def test_shared_and_transposed_tensors_are_stored_by_their_values(tmp_path):
    weight = torch.rand(6, 4)
    state = {
        "a": weight,
        "tied": weight,
        "part": weight[:3],
        "turned": weight.T,
        "scalar": torch.tensor(5),
        "grad": weight.requires_grad_(),
    }
    read = read_checkpoint_file(write_checkpoint(tmp_path, 3, state)).state
    assert all(torch.equal(read[name], tensor) for name, tensor in state.items())


def test_the_digest_is_that_of_names_types_shapes_and_values():
    state = {"a": torch.arange(6.0), "b": torch.ones(2)}
    changed = [
        {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2)},
        {"a": torch.arange(6.0), "c": torch.ones(2)},
        {"a": torch.arange(6.0), "b": torch.ones(2).int()},
        {"a": torch.arange(6.0), "b": torch.tensor([1.0, 2.0])},
        {"a": torch.arange(6.0)},
    ]
    assert len({tensors_digest(other) for other in [state, *changed]}) == 6
    assert tensors_digest(state) == tensors_digest(dict(reversed(state.items())))


def test_a_flipped_bit_never_changes_the_tensors_that_are_read(tmp_path):
    state = make_net().state_dict()
    path = write_checkpoint(tmp_path, 1, state)
    whole = path.read_bytes()
    header = 8 + struct.unpack("<Q", whole[:8])[0]
    generator = torch.Generator().manual_seed(0)
    for place in [*torch.randint(0, len(whole), (40,), generator=generator).tolist(), *range(0, header, 7), header, len(whole) - 1]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << (place % 7)
        path.write_bytes(damaged)
        try:
            read = read_checkpoint_file(path).state
        except CheckpointError:
            continue
        # A bit of the epoch or of the padding: whoever opens the file compares the epoch with its name.
        assert place < header
        assert tensors_digest(read) == tensors_digest(state)


@pytest.mark.parametrize("length", [0, 3, 8, 100, -1])
def test_a_truncated_file_is_refused(tmp_path, length):
    path = write_checkpoint(tmp_path, 1, make_net().state_dict())
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(CheckpointError, match="is damaged"):
        read_checkpoint_file(path)


def _rewritten(path: Path, **metadata: str) -> Path:
    with safetensors.safe_open(path, framework="pt") as file:
        whole = file.metadata() | metadata
    path.write_bytes(safetensors.torch.save(safetensors.torch.load_file(path), whole))
    return path


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"format": "deconvwidgets checkpoint 2"}, "later version"),
        ({"format": "deconvwidgets head 1"}, "no checkpoint that deconvwidgets wrote"),
        ({"sha256": "0" * 64}, "its tensors are not those"),
        ({"epoch": "-1"}, "its epoch is '-1'"),
        ({"epoch": "9" * 5000}, "its epoch is"),
        ({"epoch": "٣"}, "its epoch is"),
    ],
)
def test_a_foreign_or_hostile_file_is_refused_in_words(tmp_path, metadata, reason):
    path = _rewritten(write_checkpoint(tmp_path, 1, make_net().state_dict()), **metadata)
    with pytest.raises(CheckpointError, match=reason):
        read_checkpoint_file(path)


def test_other_files_are_refused(tmp_path):
    safetensors.torch.save_file({"a": torch.ones(1)}, tmp_path / "plain.safetensors")
    (tmp_path / "text.safetensors").write_text("hello")
    for name, reason in (("plain", "no checkpoint that"), ("text", "damaged"), ("missing", "There is no checkpoint")):
        with pytest.raises(CheckpointError, match=reason):
            read_checkpoint_file(tmp_path / f"{name}.safetensors")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (torch.ones(2).to_sparse(), "sparse"),
        (torch.ones(2, dtype=torch.complex64), "complex"),
        (torch.ones(2, device="meta"), "on the device meta"),
        ({"a": 1}, "a dict, not a tensor"),
    ],
)
def test_what_cannot_be_stored_is_refused_by_name(tmp_path, value, reason):
    with pytest.raises(CheckpointError, match=f"fc.weight in the state dict is {reason}"):
        write_checkpoint(tmp_path, 1, {"fc.weight": value})
    assert list(tmp_path.iterdir()) == []
