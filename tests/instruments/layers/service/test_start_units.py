"""Units to start with: the file is consistent, and its units are offered for the weights that they were chosen for only."""

from __future__ import annotations

import json

import numpy as np
import pytest

from deconvwidgets import ActivationIndex, LocalModelService, ModelBundle
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.instruments.layers.records import StartUnit
from deconvwidgets.instruments.layers.service import start_units as module
from deconvwidgets.instruments.layers.service.start_units import start_units
from deconvwidgets.models.zoo import load_model

FILE = json.loads(module._FILE.read_text("utf-8"))


@pytest.mark.parametrize("name", list(FILE))
def test_the_file_has_a_few_different_units_of_each_layer(name: str) -> None:
    for layer in FILE[name]["layers"].values():
        units = [StartUnit(*unit) for unit in layer["units"]]
        assert len({unit.unit for unit in units}) == len(units) <= 4
        assert len({unit.class_name for unit in units if unit.class_name}) == len([unit for unit in units if unit.class_name])
        assert all(unit.selectivity >= 3 and 1 <= unit.count <= unit.of == 9 for unit in units)
        assert start_units(layer["digest"]) == tuple(units)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(FILE))
def test_the_digests_are_those_of_the_weights(name: str) -> None:
    network = load_model(name, weights="pinned", progress=False).network
    for info in network.feature_map_layers:
        layer = FILE[name]["layers"][info.short_name]
        assert layer["digest"] == network.digest(info.name)
        assert all(0 <= unit < info.channels for unit, *_ in layer["units"])


def test_reasons_say_class_purity_and_selectivity() -> None:
    assert StartUnit(5, "sunflower", 6, 9, 13.24).reason == "sunflower 6 of 9, selectivity 13.2"
    assert StartUnit(5, None, 1, 9, 4.0).reason == "selectivity 4.0"


def test_other_weights_have_no_units_to_start_with(
    tiny_bundle: ModelBundle, tiny_images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = ActivationIndex.build(tiny_bundle, tiny_images, progress=False, device="cpu")
    service = LocalModelService(tiny_bundle, tiny_images, index=index, device="cpu")
    assert service.layers.unit_table("conv2").start == ()
    digest = dict(index.identity.layers)[index.layer("conv2").name]
    chosen = (StartUnit(int(np.argmax(service.layers.unit_table("conv2").maximum)), "cow", 5, 9, 4.0),)
    monkeypatch.setattr(module, "_by_digest", lambda: {digest: chosen})
    assert service.layers.unit_table("conv2").start == chosen
    assert service.layers.unit_table("conv1").start == ()
    service.close()
