"""Image classifiers of transformers are loaded from folders and the cache, with their own transforms and class names."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

import deconvwidgets as dw
from deconvwidgets.errors import AssetError, ModelError
from deconvwidgets.models import huggingface_models
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.models.torchvision_import import import_torchvision

import_torchvision()  # transformers imports it, which fails where its wheel does not fit PyTorch's
transformers = pytest.importorskip("transformers", reason="transformers is not installed: pip install 'deconvwidgets[huggingface]'")

CLASSES = {0: "ant", 1: "bee", 2: "cow"}


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setenv("DECONVWIDGETS_OFFLINE", "1")


def make_config(**options):
    names = {"id2label": CLASSES, "label2id": {name: number for number, name in CLASSES.items()}}
    settings = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic", **names, **options}
    return transformers.ResNetConfig(**settings)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A small ResNet and the folder that it was saved to, with an image processor."""
    folder = tmp_path_factory.mktemp("hub") / "tiny"
    torch.manual_seed(3)
    model = transformers.ResNetForImageClassification(make_config()).eval()
    model.save_pretrained(folder)
    transformers.ConvNextImageProcessor(size={"shortest_edge": 64}, crop_pct=0.8).save_pretrained(folder)
    return model, folder


@pytest.fixture(scope="module")
def bundle(saved):
    return dw.load_model(f"hf:{saved[1]}")


def test_a_folder_is_loaded_with_its_classes(saved, bundle, noise_image):
    model, _ = saved
    batch = bundle.prepare(noise_image(90, 70))[None]
    assert torch.equal(bundle.model(batch), model(batch).logits)
    assert (bundle.name, bundle.weights, bundle.trained) == ("hf:tiny", "folder tiny", True)
    assert (bundle.classifier, bundle.categories) == ("3 classes", ("ant", "bee", "cow"))
    assert not any(parameter.requires_grad for parameter in bundle.model.parameters())


@pytest.mark.parametrize("size", [(90, 70), (301, 405), (107, 80), (80, 109)])
def test_the_transform_is_the_processors(saved, bundle, noise_image, size):
    """Resizing and cropping of photographs is known, so that boxes can be drawn on them."""
    processor = transformers.AutoImageProcessor.from_pretrained(saved[1])
    expected = processor(images=noise_image(*size), return_tensors="pt")["pixel_values"][0]
    result = bundle.prepare(noise_image(*size))
    assert isinstance(bundle.transform, Preprocess)
    assert (bundle.transform.resize, bundle.input_size) == (80, (3, 64, 64))
    step = 1 / 255 / min(processor.image_std)
    torch.testing.assert_close(result, expected, rtol=0, atol=1.01 * step)  # transformers' default backend rounds otherwise than Pillow
    assert float((result - expected).abs().mean()) < 0.3 * step


def test_a_processor_that_distorts_the_image_is_used_as_it_is(saved, tmp_path, noise_image):
    saved[0].save_pretrained(tmp_path)
    transformers.ViTImageProcessor(size={"height": 32, "width": 48}).save_pretrained(tmp_path)
    bundle = dw.load_model(f"hf:{tmp_path}")
    assert not isinstance(bundle.transform, Preprocess)
    assert bundle.input_size == (3, 32, 48)
    expected = np.asarray(noise_image(90, 70).resize((48, 32), Image.Resampling.BILINEAR), np.float32) / 127.5 - 1
    np.testing.assert_allclose(bundle.prepare(noise_image(90, 70)).permute(1, 2, 0), expected, atol=1e-5)
    assert bundle.prepare(noise_image().convert("L")).shape == (3, 32, 48)


def test_a_folder_without_a_processor_says_how_images_are_prepared(saved, tmp_path):
    saved[0].save_pretrained(tmp_path)
    bundle = dw.load_model(f"hf:{tmp_path}")
    assert bundle.input_size == (3, 224, 224)
    assert "has no image processor" in bundle.notes[0]


def test_layers_keep_their_names_and_are_projected(saved, bundle, noise_image, on_input):
    model, _ = saved
    assert [name for name, _ in bundle.model.named_modules()] == [name for name, _ in model.named_modules()]
    first = bundle.network.layer("conv1")
    assert (first.name, first.channels) == ("resnet.embedder.embedder.activation", 8)
    projection = dw.project(bundle, noise_image(90, 70), "conv1", unit=2)
    embedder = model.resnet.embedder.embedder
    with torch.no_grad():
        maps = embedder(bundle.prepare(noise_image(90, 70))[None])
        row, column = divmod(int(maps[0, 2].argmax()), maps.shape[3])
        signal = torch.zeros_like(maps)
        norm = embedder.normalization
        signal[0, 2, row, column] = maps[0, 2].max() * norm.weight[2] / (norm.running_var[2] + norm.eps).sqrt()
        expected = F.conv_transpose2d(signal, embedder.convolution.weight, stride=2, padding=3, output_padding=1)
    assert tuple(projection.positions[0]) == (row, column)
    np.testing.assert_allclose(on_input(projection, 64, 64), expected[0], rtol=1e-4, atol=1e-6)


def test_random_weights_are_reproducible_and_labelled(saved):
    first, second = (dw.load_model(f"hf:{saved[1]}", weights=None) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.model.parameters(), second.model.parameters(), strict=True))
    assert (first.trained, first.categories, first.weights) == (False, None, "random weights, untrained")
    assert "untrained" in first.notes[0]


def test_a_checkpoint_is_loaded_by_its_path(saved, tmp_path, noise_image):
    other = transformers.ResNetForImageClassification(make_config()).eval()
    torch.save(other.state_dict(), tmp_path / "other.pth")
    bundle = dw.load_model(f"hf:{saved[1]}", weights=tmp_path / "other.pth")
    batch = bundle.prepare(noise_image(90, 70))[None]
    assert torch.equal(bundle.model(batch), other(batch).logits)
    assert (bundle.weights, bundle.categories) == ("checkpoint other.pth", ("ant", "bee", "cow"))
    torch.save(nn.Linear(2, 2).state_dict(), tmp_path / "other.pth")
    with pytest.raises(ModelError, match="does not fit"):
        dw.load_model(f"hf:{saved[1]}", weights=tmp_path / "other.pth")


def test_half_precision_is_converted(saved, tmp_path):
    transformers.ResNetForImageClassification(make_config()).half().save_pretrained(tmp_path)
    assert {parameter.dtype for parameter in dw.load_model(f"hf:{tmp_path}").model.parameters()} == {torch.float32}


def test_placeholders_are_no_class_names(tmp_path):
    config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8], depths=[1], layer_type="basic", num_labels=4)
    transformers.ResNetForImageClassification(config).save_pretrained(tmp_path)
    bundle = dw.load_model(f"hf:{tmp_path}")
    assert (bundle.classifier, bundle.categories) == ("4 classes", None)


def test_a_model_without_a_trained_classifier_is_refused(tmp_path):
    """transformers would add a classifier with random weights."""
    transformers.ResNetModel(make_config()).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"has no weights of classifier.*not trained as an image classifier"):
        dw.load_model(f"hf:{tmp_path}")


def test_a_model_of_another_kind_is_refused(tmp_path):
    transformers.BertConfig(num_hidden_layers=1).save_pretrained(tmp_path)
    for weights in ("default", None):
        with pytest.raises(ModelError, match=r"classifier"):
            dw.load_model(f"hf:{tmp_path}", weights=weights)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"no image classifier that transformers can load"):
        dw.load_model(f"hf:{tmp_path}")


@pytest.mark.parametrize("name", ["", "./missing", "~/missing"])
def test_missing_folders_are_reported(name):
    with pytest.raises(ModelError, match="There is no folder"):
        dw.load_model(f"hf:{name}")


@pytest.mark.parametrize("weights", ["default", None])
def test_the_error_without_a_connection_has_a_way_on(offline, weights):
    message = r"not in the cache.*DECONVWIDGETS_OFFLINE is set.*hf download nobody/nothing --local-dir folder.*hf:path/to/folder"
    with pytest.raises(AssetError, match=message):
        dw.load_model("hf:nobody/nothing", weights=weights)


def test_an_error_of_the_hub_has_a_way_on(monkeypatch):
    class Loader:
        @staticmethod
        def from_pretrained(name, **options):
            raise OSError("nobody/nothing is not a valid model identifier.")

    monkeypatch.setattr(huggingface_models, "hub_unreachable_reason", lambda: None)
    with pytest.raises(AssetError, match=r"not a valid model identifier.*Check its name"):
        huggingface_models._find("nobody/nothing").load(Loader)
