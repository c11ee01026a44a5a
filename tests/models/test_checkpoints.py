"""Checkpoints in all usual formats are loaded; other files are refused."""

import os
import re

import pytest
import safetensors.torch
import torch

from deconvwidgets.errors import ModelError
from deconvwidgets.models import architectures
from deconvwidgets.models.zoo import load_model


@pytest.fixture(scope="module")
def squeezenet():
    return load_model("squeezenet1_1", weights=None).model


def same(model, other):
    return all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("wrap", ["plain", "state_dict", "parallel", "safetensors"])
def test_usual_checkpoint_formats_are_loaded(wrap, squeezenet, tmp_path):
    state = {name: tensor + 1 for name, tensor in squeezenet.state_dict().items()}
    path = tmp_path / ("c.safetensors" if wrap == "safetensors" else "c.pth")
    if wrap == "safetensors":
        safetensors.torch.save_file(state, path)
    else:
        prefixed = {f"module.{name}": tensor for name, tensor in state.items()}
        torch.save({"plain": state, "state_dict": {"epoch": 3, "state_dict": state}, "parallel": prefixed}[wrap], path)
    bundle = load_model("squeezenet1_1", weights=path)
    assert all(torch.equal(tensor, state[name]) for name, tensor in bundle.model.state_dict().items())
    assert len(bundle.categories) == 1000
    assert "assumed to be ImageNet" in bundle.classifier
    assert "c." in bundle.weights


def test_the_number_of_classes_is_read_from_the_checkpoint(tmp_path):
    torch.save(architectures.build_random("resnet18", 5).state_dict(), tmp_path / "five.pth")
    bundle = load_model("resnet18", weights=tmp_path / "five.pth")
    assert bundle.model.fc.out_features == 5
    assert bundle.categories is None
    assert "5 classes" in bundle.classifier


def test_errors_for_another_architecture_list_the_tensors(squeezenet, tmp_path):
    torch.save(squeezenet.state_dict(), tmp_path / "c.pth")
    with pytest.raises(ModelError, match=r"does not fit resnet18: \d+ missing \(conv1.weight, .*\.\.\.\); \d+ unexpected \(features\.0"):
        load_model("resnet18", weights=tmp_path / "c.pth")
    state = squeezenet.state_dict()
    state["features.0.bias"] = torch.zeros(3)
    torch.save(state, tmp_path / "c.pth")
    with pytest.raises(ModelError, match=r"features.0.bias is \(3,\) instead of \(64,\)"):
        load_model("squeezenet1_1", weights=tmp_path / "c.pth")


UNUSABLE = {
    "has no values": lambda tensor: tensor.to("meta"),
    "is quantized": lambda tensor: torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8),
    "is sparse": lambda tensor: tensor.to_sparse(),
    "is complex": lambda tensor: tensor.to(torch.complex64),
    "contains nan": lambda tensor: tensor * float("nan"),
    "torch.int64 instead of torch.float32": lambda tensor: tensor.long(),
}


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
@pytest.mark.parametrize("problem", UNUSABLE)
def test_tensors_that_are_no_weights_are_refused_by_name(problem, squeezenet, tmp_path):
    state = squeezenet.state_dict()
    state["features.0.weight"] = UNUSABLE[problem](state["features.0.weight"])
    torch.save(state, tmp_path / "c.pth")
    with pytest.raises(ModelError, match=f"features.0.weight.*{problem}"):
        load_model("squeezenet1_1", weights=tmp_path / "c.pth")


WRAPPED = {
    "compiled": lambda state: {f"_orig_mod.{name}": tensor for name, tensor in state.items()},
    "DDP, compiled": lambda state: {f"module._orig_mod.{name}": tensor for name, tensor in state.items()},
    "Lightning": lambda state: {"state_dict": {f"model.{name}": tensor for name, tensor in state.items()}, "epoch": 3},
    "averaged": lambda state: {"n_averaged": torch.tensor(3), **{f"module.{name}": tensor for name, tensor in state.items()}},
}


@pytest.mark.parametrize("wrap", WRAPPED)
def test_names_of_wrappers_are_removed_as_by_open_checkpoints(wrap, squeezenet, tmp_path):
    state = squeezenet.state_dict()
    torch.save(WRAPPED[wrap](state), tmp_path / "c.pth")
    found = load_model("squeezenet1_1", weights=tmp_path / "c.pth").model.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in state.items())


def test_a_model_and_its_average_in_one_file_are_refused_with_the_way_on(squeezenet, tmp_path):
    state = squeezenet.state_dict()
    torch.save({**state, **{f"ema.{name}": tensor + 1 for name, tensor in state.items()}}, tmp_path / "c.pth")
    with pytest.raises(ModelError, match=r"c\.pth has the model several times.*open_checkpoints\(\.\.\., prefix=''\)"):
        load_model("squeezenet1_1", weights=tmp_path / "c.pth")


class MakesFolder:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (self.marker,)


def test_no_code_in_a_checkpoint_is_run(tmp_path):
    torch.save({"state_dict": MakesFolder(str(tmp_path / "ran"))}, tmp_path / "evil.pth")
    with pytest.raises(ModelError, match="run code"):
        load_model("alexnet", weights=tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["c.pth", "c.safetensors"])
@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04 and then nothing", b"\x80\x02}q\x00."])
def test_damaged_checkpoints_are_refused(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=re.escape(name)):
        load_model("alexnet", weights=tmp_path / name)


def test_a_missing_checkpoint_is_refused():
    with pytest.raises(ModelError, match=r"no checkpoint nowhere\.pth"):
        load_model("alexnet", weights="nowhere.pth")


def test_a_checkpoint_of_a_regnet_with_another_number_of_classes(tmp_path):
    torch.save(architectures.build_random("regnet_y_400mf", 3).state_dict(), tmp_path / "c.pth")
    assert load_model("regnet_y_400mf", weights=tmp_path / "c.pth").model.fc.out_features == 3
