"""Models of timm are loaded by name, with timm's transforms and class names."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import deconvwidgets as dw
from deconvwidgets.errors import AssetError, ModelError
from deconvwidgets.models import timm_models
from deconvwidgets.models.libraries import import_library
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.models.torchvision_import import import_torchvision

import_torchvision()  # timm imports it, which fails where its wheel does not fit PyTorch's
timm = pytest.importorskip("timm", reason="timm is not installed: pip install 'deconvwidgets[timm]'")

NAME = "test_resnet"  # one of timm's tiny models, with inputs of 160 x 160


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setenv("DECONVWIDGETS_OFFLINE", "1")


@pytest.fixture(scope="module")
def random_bundle():
    return dw.load_model(f"timm:{NAME}", weights=None)


@pytest.fixture
def trained(tmp_path):
    """A model with other weights than the random ones, and the file of its weights."""
    model = timm.create_model(NAME).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    return model, tmp_path / "model.safetensors"


def test_random_weights_are_reproducible_and_labelled(random_bundle):
    again = dw.load_model(f"timm:{NAME}", weights=None)
    assert all(torch.equal(a, b) for a, b in zip(random_bundle.model.parameters(), again.model.parameters(), strict=True))
    assert (random_bundle.name, random_bundle.trained, random_bundle.categories) == (f"timm:{NAME}", False, None)
    assert random_bundle.weights == "random weights, untrained"
    assert "untrained" in random_bundle.notes[0]
    assert not random_bundle.model.training


def test_the_transform_is_timms(random_bundle, noise_image):
    image = noise_image(301, 405)
    config = timm.data.resolve_model_data_config(random_bundle.model)
    expected = timm.data.create_transform(**config, is_training=False)(image)
    assert isinstance(random_bundle.transform, Preprocess), "boxes cannot be drawn on photographs"
    assert random_bundle.input_size == (3, 160, 160)
    torch.testing.assert_close(random_bundle.prepare(image), expected, rtol=0, atol=1e-5)


def test_a_transform_that_distorts_the_image_is_used_as_it_is(monkeypatch, noise_image):
    config = {"input_size": (3, 64, 64), "interpolation": "bilinear", "mean": (0.5,) * 3, "std": (0.5,) * 3, "crop_pct": 1.0}
    monkeypatch.setattr(timm.data, "resolve_model_data_config", lambda model: {**config, "crop_mode": "squash"})
    bundle = dw.load_model(f"timm:{NAME}", weights=None)
    assert not isinstance(bundle.transform, Preprocess)
    assert bundle.input_size == (3, 64, 64)
    expected = np.asarray(noise_image(90, 60).resize((64, 64), 2), np.float32) / 127.5 - 1
    np.testing.assert_allclose(bundle.prepare(noise_image(90, 60)).permute(1, 2, 0), expected, atol=1e-5)
    assert bundle.prepare(noise_image().convert("L")).shape == (3, 64, 64)


def test_projections_are_exact_on_crops(random_bundle, noise_image):
    layer = random_bundle.network.feature_map_layers[-1].name
    local, full = (dw.project(random_bundle, noise_image(200, 180), layer, unit=3, method=method) for method in ("local", "full"))
    assert np.abs(full.pixels).max() > 0
    np.testing.assert_allclose(local.pixels, full.pixels, rtol=0, atol=1e-4 * np.abs(full.pixels).max())


def test_a_checkpoint_is_loaded_with_imagenets_classes(trained, noise_image):
    model, path = trained
    bundle = dw.load_model(f"timm:{NAME}", weights=path)
    batch = bundle.prepare(noise_image(200, 180))[None]
    assert torch.equal(bundle.model(batch), model(batch))
    assert bundle.weights == "checkpoint model.safetensors"
    assert bundle.classifier == "1,000 classes, assumed to be ImageNet's"
    assert bundle.categories[:2] == ("tench, Tinca tinca", "goldfish, Carassius auratus")


def test_a_checkpoint_with_other_classes_has_no_names(tmp_path):
    path = tmp_path / "seven.pth"
    torch.save(timm.create_model(NAME, num_classes=7).state_dict(), path)
    bundle = dw.load_model(f"timm:{NAME}", weights=path)
    assert (bundle.classifier, bundle.categories) == ("7 classes", None)
    assert "unknown" in bundle.notes[0]
    with pytest.raises(ModelError, match=r"does not fit timm's test_vit"):
        dw.load_model("timm:test_vit", weights=path)


def test_pretrained_weights_in_the_cache_need_no_connection(trained, offline, monkeypatch, noise_image):
    model, path = trained
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda repository, name: str(path))
    bundle = dw.load_model(f"timm:{NAME}")
    batch = bundle.prepare(noise_image(200, 180))[None]
    assert torch.equal(bundle.model(batch), model(batch))
    assert (bundle.weights, bundle.trained, bundle.classifier) == ("timm's test_resnet.r160_in1k", True, "1,000 classes")
    assert len(bundle.categories) == 1000


def test_the_error_without_a_connection_has_a_way_on(offline, monkeypatch):
    monkeypatch.setattr(timm_models, "_cached_file", lambda config: None)
    with pytest.raises(AssetError, match=r"DECONVWIDGETS_OFFLINE is set.*https://huggingface.co/timm/resnet50.a1_in1k.*weights=None"):
        dw.load_model("timm:resnet50")


def test_a_failed_download_has_a_way_on(monkeypatch):
    def fail(name, **options):
        raise ConnectionError("connection reset")

    monkeypatch.setattr(timm_models, "hub_unreachable_reason", lambda: None)
    monkeypatch.setattr(timm, "create_model", fail)
    with pytest.raises(AssetError, match=r"connection reset.*weights='path of the file'"):
        dw.load_model("timm:resnet50")


@pytest.mark.parametrize(
    ("name", "message"),
    [("resnet5", "Did you mean resnet50"), ("resnet50.zzz", "resnet50.a1_in1k"), ("", "list_models")],
)
def test_unknown_names_are_refused(name, message):
    with pytest.raises(ModelError, match=message):
        dw.load_model(f"timm:{name}", weights=None)


def test_a_model_without_published_weights_is_refused(offline):
    name = next(name for name in timm.list_models("resnet*") if not timm.get_pretrained_cfg(name).has_weights)
    with pytest.raises(ModelError, match=r"publishes no weights.*weights=None"):
        dw.load_model(f"timm:{name}")


def test_without_the_library_the_error_has_the_install_command():
    with pytest.raises(ModelError, match=r"pip install 'deconvwidgets\[timm\]'"):
        import_library("a_library_that_is_not_installed", "timm")


def test_layers_have_timms_names(random_bundle):
    convolutions = [name for name, module in random_bundle.model.named_modules() if isinstance(module, nn.Conv2d)]
    assert convolutions[0].startswith("conv1")
    assert random_bundle.network.traced
