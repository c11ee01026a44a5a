import numpy as np
import pytest
import torch
from torch import nn

import deconvwidgets as dw
from deconvwidgets.errors import ContributionError
from tests.conftest import make_tiny_bundle
from tests.instruments.contributions.nets import outputs_without


def tower_bundle():
    """Two rectified linear layers above pooled maps, as in AlexNet."""
    torch.manual_seed(3)
    net = nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(), nn.Linear(6 * 9, 12), nn.ReLU(),
        nn.Linear(12, 10), nn.ReLU(), nn.Linear(10, 3),
    ).eval()  # fmt: skip
    with torch.no_grad():
        net[0].bias[4] = -100.0  # never active
    transform = make_tiny_bundle().transform
    return dw.ModelBundle.from_module(net, transform=transform, categories=["Cat", "dog", "kite"])


def deep_bundle():
    torch.manual_seed(4)
    net = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2), nn.ReLU(), nn.Conv2d(6, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 25, 3)).eval()
    return dw.ModelBundle.from_module(net, transform=make_tiny_bundle().transform, categories=["cat", "dog", "bird"])


def linear_bundle():
    torch.manual_seed(5)
    net = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(6 * 9, 3)).eval()
    return dw.ModelBundle.from_module(net, transform=make_tiny_bundle().transform, categories=["cat", "dog", "kite"])


@pytest.mark.parametrize(("make", "method"), [(linear_bundle, "closed form"), (tower_bundle, "delta"), (deep_bundle, "full")])
def test_ablation_equals_the_naive_loop(make, method, noise):
    bundle, images = make(), noise(12)
    found = dw.ablate_units(bundle, images, "1", dtype="float64")
    assert found.method == method
    double = bundle.from_module(
        bundle.model.double(), transform=bundle.transform, input_size=bundle.input_size, categories=bundle.categories
    )
    sources = [source for source in range(12) if images.label(source) is not None]
    names = [images.categories[images.label(source)].lower() for source in sources]
    known = [name.lower() for name in bundle.categories]
    kept = [(source, known.index(name)) for source, name in zip(sources, names, strict=True) if name in known]
    batch = torch.stack([bundle.prepare(images.open_crop(images.crops_of(source)[0])) for source, _ in kept]).double()
    own = torch.tensor([label for _, label in kept])
    with torch.no_grad():
        before = double.model(batch)
    assert found.photographs == len(kept)
    assert found.accuracy == pytest.approx(float((before.argmax(1) == own).double().mean()))
    for unit in range(6):
        after = outputs_without(double, batch, "1", unit)
        right, was = after.argmax(1) == own, before.argmax(1) == own
        assert found.accuracies[unit] == pytest.approx(float(right.double().mean()))
        assert (found.now_right[unit], found.now_wrong[unit]) == (int((right & ~was).sum()), int((was & ~right).sum()))
        for column, label in enumerate(found.labels):
            rows = own == label
            change = (after - before)[rows, label].mean()
            assert found.logits[unit, column] == pytest.approx(float(change), abs=1e-6)
            probability = (after.softmax(1) - before.softmax(1))[rows, label].mean()
            assert found.probabilities[unit, column] == pytest.approx(float(probability), abs=1e-6)
            assert found.class_accuracies[unit, column] == pytest.approx(float(right[rows].double().mean()))
    if method == "delta":
        assert not found.logits[4].any()


def test_units_do_not_take_the_padding_with_them(noise):
    """A padding of 5 stays when a unit is off: it is no part of the unit's map."""
    torch.manual_seed(6)
    linear = [nn.Linear(6 * 81, 12), nn.ReLU(), nn.Linear(12, 3)]
    net = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2), nn.ReLU(), nn.ConstantPad2d(1, 5.0), nn.Flatten(), *linear).eval()
    bundle = dw.ModelBundle.from_module(net, transform=make_tiny_bundle().transform, categories=["x", "y", "z"])
    images = noise(4)
    found = dw.ablate_units(bundle, images, "1", dtype="float64")
    batch = torch.stack([bundle.prepare(images.open_crop(images.crops_of(source)[0])) for source in range(4)]).double()
    net.double()
    with torch.no_grad():
        maps = net[:2](batch)
        before = net[2:](maps)
        own = before.argmax(dim=1)
        for unit in range(6):
            changed = maps.clone()
            changed[:, unit] = 0
            change = (net[2:](changed) - before).gather(1, own[:, None])[:, 0]
            expected = [float(change[own == label].mean()) for label in found.labels]
            np.testing.assert_allclose(found.logits[unit], expected, atol=1e-6)


def test_photographs_without_matching_labels_are_compared_with_the_predicted_class(noise):
    bundle = linear_bundle()
    other = dw.ModelBundle.from_module(bundle.model, transform=bundle.transform, input_size=bundle.input_size, categories=["x", "y", "z"])
    found = dw.ablate_units(other, noise(10), "conv1")
    assert found.reference == "predicted"
    assert found.accuracy == 1.0
    np.testing.assert_array_equal(found.changed, found.now_wrong)


def test_a_regression_is_refused(noise):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 196, 1)).eval()
    bundle = dw.ModelBundle.from_module(net, transform=make_tiny_bundle().transform, categories=["depth"])
    with pytest.raises(ContributionError, match="does not predict classes that exclude each other"):
        dw.ablate_units(bundle, noise(4), "conv1")


def test_a_broken_photograph_is_left_out(noise):
    found = dw.ablate_units(linear_bundle(), noise(8, broken=[5]), "conv1")
    assert [skipped.name for skipped in found.skipped] == ["noise-5"]
    assert found.photographs == 6  # photograph 0 has no label
