"""Whether a training in a folder is resumed: only by the same network, weights and functions, and by them in any process."""

import copy
import json
import subprocess
import sys
from functools import partial

import pytest
import torch
from torch import nn

import deconvwidgets as dw
from deconvwidgets.checkpoints.log_file import read_log
from deconvwidgets.errors import TrainingError
from deconvwidgets.instruments.training.compute.function_names import function_code, is_same_code
from tests.instruments.training.compute.conftest import small

QUICK = {"input_size": 24, "epochs": 1, "batch_size": 16, "device": "cpu", "progress": False}


def net(classes, act=nn.ReLU, pool=nn.MaxPool2d, eps=1e-5, **convolution):
    layers = [nn.Conv2d(3, 6, 3, **convolution), nn.BatchNorm2d(6, eps=eps), act(), pool(2), nn.AdaptiveAvgPool2d(2), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(24, classes))


def rate_of(code):
    """Return a function `rate` as a cell of a notebook defines it."""
    names = {}
    exec(code, names)
    return names["rate"]


@pytest.fixture(scope="module")
def folder(coloured, tmp_path_factory):
    """The folder of a finished training of `net`."""
    out = tmp_path_factory.mktemp("same")
    dw.train(net, coloured, out=out, **QUICK)
    return out


@pytest.mark.parametrize(
    "other",
    [
        {"act": nn.GELU},
        {"act": partial(nn.ReLU6)},
        {"pool": nn.AvgPool2d},
        {"pool": partial(nn.MaxPool2d, ceil_mode=True)},
        {"eps": 1e-3},
        {"stride": 2},
        {"dilation": 2},
        {"padding": 1},
        {"padding": 1, "padding_mode": "reflect"},
    ],
)
def test_another_network_of_the_same_shapes_is_refused(folder, coloured, other):
    with pytest.raises(TrainingError, match=r"of another network \(its layers or their settings differ\).*overwrite=True"):
        dw.train(partial(net, **other), coloured, out=folder, name="net", **QUICK)


def test_the_same_network_is_resumed_in_another_process(folder, coloured_folder):
    code = (
        "import sys, deconvwidgets as dw\nfrom tests.instruments.training.compute.test_same_training import QUICK, net\n"
        "dw.train(net, dw.open_images(sys.argv[1]), out=sys.argv[2], **QUICK | {'epochs': 2})"
    )
    subprocess.run([sys.executable, "-c", code, coloured_folder, folder], check=True, timeout=200)
    assert len(read_log(folder).epochs) == 3


def test_a_training_of_an_earlier_version_is_compared_as_it_was(coloured, tmp_path):
    first = dw.train(net, coloured, out=tmp_path, schedule=rate_of("def rate(epoch): return .05"), **QUICK)
    path = tmp_path / "training.json"
    plain = json.loads(path.read_text())
    for name in ("network", "frozen", "initial_weights", "schedule_code"):
        del plain["recipe"][name]
    path.write_text(json.dumps(plain))
    again = dw.train(net, coloured, out=tmp_path, schedule=rate_of("def rate(epoch): return .01"), **QUICK)
    assert torch.equal(first.bundle.model[0].weight, again.bundle.model[0].weight)


def test_other_given_weights_are_refused_and_the_first_ones_are_in_the_folder(coloured, tmp_path):
    first = net(3)
    kept = copy.deepcopy(first)
    dw.train(first, coloured, out=tmp_path, pretrained=True, **QUICK)
    dw.train(kept, coloured, out=tmp_path, pretrained=True, **QUICK)
    with pytest.raises(TrainingError, match=r"began with other weights.*bundle\(0\)\.model, choose another folder"):
        dw.train(net(3), coloured, out=tmp_path, pretrained=True, **QUICK)
    again = dw.open_checkpoints(tmp_path, build=net(3)).bundle(0).model
    dw.train(again, coloured, out=tmp_path, pretrained=True, **QUICK)
    kept[0].requires_grad_(False)
    with pytest.raises(TrainingError, match="with other frozen parameters"):
        dw.train(kept, coloured, out=tmp_path, pretrained=True, **QUICK)


def test_a_script_that_makes_its_random_network_anew_resumes_the_first_one(coloured, tmp_path):
    first, second = (dw.train(net(3), coloured, out=tmp_path, **QUICK | {"epochs": epochs}) for epochs in (1, 2))
    assert [epoch.epoch for epoch in second.log.epochs] == [0, 1, 2]
    weights = [trained.checkpoints.bundle(0).model[0].weight for trained in (first, second)]
    assert torch.equal(*weights)


def test_a_lazy_network_is_resumed(coloured, tmp_path):
    def lazy(classes):
        return nn.Sequential(nn.LazyConv2d(6, 5), nn.ReLU(), nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.LazyLinear(classes))

    for network, name in ((lazy, "function"), (lazy(3), "module")):
        runs = [dw.train(network, coloured, out=tmp_path / name / part, name="lazy", **QUICK) for part in "aba"]
        assert all(torch.equal(runs[0].bundle.model[0].weight, run.bundle.model[0].weight) for run in runs[1:])
        assert torch.equal(runs[0].checkpoints.bundle(0).model[0].weight, runs[1].checkpoints.bundle(0).model[0].weight)  # by the seed


def test_another_schedule_of_the_same_name_is_refused(coloured, tmp_path):
    fields = QUICK | {"out": tmp_path}
    dw.train(small, coloured, schedule=rate_of("def rate(epoch): return .05"), **fields)
    dw.train(small, coloured, schedule=rate_of("def rate(epoch):\n    return .05  # as it was"), **fields)
    with pytest.raises(TrainingError, match=r"another schedule \(a function of the same name with other code\)"):
        dw.train(small, coloured, schedule=rate_of("def rate(epoch): return .001"), **fields)


def test_the_code_of_a_function_is_compared_with_what_it_reads():
    codes = ["def rate(e): return BASE", "def rate(e, base=.1): return base", "def rate(e): return half(BASE)", "def rate(e): return 1"]
    before = "BASE = {}\ndef half(x): return x / {}\n"
    for number, code in enumerate(codes):
        first, same, other, half = (function_code(rate_of(before.format(*values) + code)) for values in ((1, 2), (1, 2), (3, 2), (1, 4)))
        assert is_same_code(first, same)
        assert is_same_code(first, other) == (number in (1, 3))
        assert is_same_code(first, half) == (number != 2)
    assert len({function_code(rate_of(code)) for code in codes}) == 4
    assert is_same_code(function_code(net), function_code(nn.ReLU()))  # cannot be compared
    assert is_same_code("3.1 a", "3.2 b")
    assert not is_same_code(function_code(partial(net, eps=1)), function_code(partial(net, eps=2)))
