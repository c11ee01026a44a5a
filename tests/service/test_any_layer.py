"""Layers beyond the listed ones: any module with feature maps by any of its names, and the index of the crops so far."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

import deconvwidgets as dw
from deconvwidgets import display
from deconvwidgets.errors import LayerError, ServiceError
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.local_service import LocalModelService
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.models.torchvision_import import import_torchvision
from deconvwidgets.records.mosaics import MosaicRequest
from deconvwidgets.service import partial_index
from deconvwidgets.service.worker import SynchronousExecutor

MODULES = {"layer4": "layer4", "layer1.0.conv1": "layer1.0.conv1", "layer2.0": "layer2.0", "layer4.1": "layer4"}  # name -> name shown


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("DECONVWIDGETS_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def resnet():
    import_torchvision()
    from torchvision.models import resnet18

    torch.manual_seed(0)
    transform = Preprocess(resize=36, crop=(32, 32), mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    return ModelBundle.from_module(resnet18(weights=None).eval(), transform=transform, input_size=(3, 32, 32), name="resnet18")


@pytest.fixture
def service(resnet, tiny_images):
    service = LocalModelService(resnet, tiny_images, device="cpu", layers=["conv1"], worker=SynchronousExecutor())
    yield service
    service.close()


def maxima_by_hook(bundle, images, name):
    """The spatial maxima (crops, units) of a module's output, and its positions, by a plain forward hook."""
    outputs = []
    handle = bundle.model.get_submodule(name).register_forward_hook(lambda module, args, output: outputs.append(output.detach().clone()))
    try:
        with torch.no_grad():
            bundle.model(torch.stack([bundle.prepare(images.open_crop(crop)) for crop in range(len(images))]))
    finally:
        handle.remove()
    return outputs[0].flatten(2).max(dim=2)


@pytest.mark.parametrize("name", MODULES)
def test_units_of_any_module_are_those_of_a_plain_hook(service, resnet, tiny_images, name):
    values, positions = maxima_by_hook(resnet, tiny_images, name)
    assert service.layers.open(name).short_name == MODULES[name]
    table = service.layers.unit_table(name)
    np.testing.assert_allclose(table.maximum, values.max(dim=0).values, rtol=1e-4, atol=1e-5)
    width = service.layers.open(name).info.width
    for unit in (0, 5, 17):
        entries = service.layers.unit_detail(name, unit).entries
        if not entries:
            assert (values[:, unit] == 0).all()
            continue
        first = entries[0]
        assert first.value == pytest.approx(float(values[:, unit].max()), rel=1e-4)
        assert (first.row, first.column) == divmod(int(positions[first.image, unit]), width)


def test_one_layer_has_one_index_by_all_its_names(service):
    tables = [service.layers.unit_table(name) for name in ("layer4", "layer4.1", "layer4.1.relu#2")]
    assert all(np.array_equal(table.maximum, tables[0].maximum) for table in tables)
    overview = service.overview()
    assert [layer.short_name for layer in overview.layers] == ["conv1"]
    assert [layer.short_name for layer in overview.opened] == ["layer4"]
    assert [info.short_name for info in service.index.layers] == ["conv1", "layer4.1.relu#2"]
    assert service.layers.open("layer1.0.relu").short_name == "conv2"


def test_projections_of_any_module_are_those_of_the_engine(service, resnet, tiny_images):
    tile, unit = 32, int(service.layers.unit_table("layer2.0").maximum.argmax())
    (mosaic,) = service.layers.mosaics(MosaicRequest("layer2.0", unit, tile=tile, parts=("projections",)))
    pixels = np.asarray(Image.open(io.BytesIO(mosaic.data)).convert("RGB")).astype(int)
    first = service.layers.unit_detail("layer2.0", unit).entries[0]
    projected = dw.project(resnet, tiny_images.open_crop(first.image), "layer2.0", unit=unit, at=[(first.row, first.column)])
    assert np.abs(pixels[:tile, :tile] - display.projection_to_rgb(projected.pixels[0], tile)).mean() < 8  # JPEG


def test_names_that_are_no_feature_map_are_refused_in_words(service, tiny_bundle, tiny_images):
    with pytest.raises(LayerError, match=r"'fc' of resnet18 is no feature map.*conv1.*every module that returns maps"):
        service.layers.open("fc")
    with pytest.raises(LayerError, match=r"Did you mean layer4"):
        dw.LayerExplorer(service, layer="layer5")
    with pytest.raises(LayerError, match="no feature map"):
        LocalModelService(tiny_bundle, tiny_images, layers=["conv1", "4"], device="cpu")
    with pytest.raises(LayerError, match="the name of a layer"):
        service.layers.unit_table(["conv1"])
    assert service.overview().opened == ()


def test_an_explorer_opens_its_layer(service):
    with dw.LayerExplorer(service, layer="layer1.0") as explorer:
        assert explorer.state["layer"] == "layer1.0"
        assert explorer.state["unit"] == int(service.layers.unit_table("layer1.0").maximum.argmax())
        explorer.state = {"pinned": {"layer": "layer4.1", "unit": 3}}
        assert explorer.state["pinned"] == [{"model": service.overview().model, "layer": "layer4", "unit": 3}]
    assert service.layers.figure("layer.png", {"layer": "layer1.0", "units": 1})[:4] == b"\x89PNG"


@pytest.mark.slow
def test_an_opened_layer_is_stored_and_a_listed_one_is_not_built_twice(service, resnet, tiny_images, monkeypatch):
    whole = LocalModelService(resnet, tiny_images, device="cpu", worker=SynchronousExecutor())
    whole.layers.open("layer4")
    monkeypatch.setattr(ActivationIndex, "build", lambda *args, **options: pytest.fail("built again"))
    again = LocalModelService(resnet, tiny_images, device="cpu", layers=["conv5", "conv1"], worker=SynchronousExecutor()).wait()
    again.layers.open("layer4")
    again.layers.open("conv3")  # part of the index of the default layers
    for name in ("conv5", "conv3", "layer4"):
        np.testing.assert_array_equal(again.layers.unit_table(name).maximum, whole.layers.unit_table(name).maximum)


def test_layers_that_wait_share_a_pass(resnet, tiny_images, manual_executor):
    service = LocalModelService(resnet, tiny_images, device="cpu", layers=["conv1"], worker=manual_executor)
    for name in ("layer1.0", "layer2.0"):
        service.layers.open(name)
    with pytest.raises(ServiceError, match=r"of layer2\.0 is not built yet"):
        service.layers.unit_table("layer2.0")
    opened = tiny_images.opened
    for job in manual_executor.jobs:
        job.run()
    assert [info.name for info in service.index.layers] == ["relu", "layer1.0.relu#2", "layer2.0.relu#2"]
    assert tiny_images.opened - opened <= 2 * tiny_images.source_count + 30  # two passes, and the pictures that are prefetched
    assert service.layers.unit_table("layer2.0").crops is None


def test_results_so_far_are_those_of_the_first_crops_and_only_on_request(tiny_bundle, tiny_images, manual_executor, monkeypatch):
    for name in ("FIRST_SECONDS", "SECONDS"):
        monkeypatch.setattr(partial_index, name, 0.0)
    service = LocalModelService(tiny_bundle, tiny_images, device="cpu", worker=manual_executor)
    seen = []

    def listener(event):
        if event.kind == "partial":
            assert event.layers == ("conv2",)
            with pytest.raises(ServiceError, match="being built"):
                service.layers.unit_table("conv2")
            request = MosaicRequest("conv2", 3, tile=32, partial=True)
            seen.append((service.layers.unit_table("conv2", partial=True), service.layers.mosaics(request)))

    service.subscribe(listener)
    with pytest.raises(ServiceError, match="not built yet"):
        service.layers.unit_table("conv2", partial=True)
    manual_executor.jobs[0].run()
    assert len(seen) >= 2
    for table, mosaics in seen:
        first = ActivationIndex.build(tiny_bundle, tiny_images, ["conv2"], crops=range(table.crops), device="cpu", progress=False)
        np.testing.assert_allclose(table.maximum, first.stats("conv2").maximum, rtol=1e-5)  # other batches
        expected = LocalModelService(tiny_bundle, tiny_images, index=first, device="cpu", worker=SynchronousExecutor())
        assert expected.layers.mosaics(MosaicRequest("conv2", 3, tile=32)) == mosaics
    final = service.layers.unit_table("conv2", partial=True)
    assert final.crops is None
    same = [unit for unit in range(5) if seen[0][0].fingerprints[unit] == final.fingerprints[unit]]
    changed = [unit for unit in range(5) if unit not in same]
    assert changed
    fresh = LocalModelService(tiny_bundle, tiny_images, index=service.index, device="cpu", worker=SynchronousExecutor())
    request = MosaicRequest("conv2", 3, tile=32)
    assert service.layers.mosaics(request) == fresh.layers.mosaics(request)  # no picture of the first crops


def test_a_layer_that_cannot_be_indexed_does_not_stop_another(resnet, tiny_images, manual_executor, monkeypatch):
    service = LocalModelService(resnet, tiny_images, device="cpu", layers=["conv1"], worker=manual_executor)
    build = ActivationIndex.build

    def failing(bundle, images, layers, *rest, **options):
        if "layer1.0.relu#2" in layers:
            raise RuntimeError("it fails")
        return build(bundle, images, layers, *rest, **options)

    monkeypatch.setattr(ActivationIndex, "build", failing)
    for name in ("layer1.0", "layer2.0"):
        service.layers.open(name)
    for job in manual_executor.jobs:
        job.run()
    with pytest.raises(ServiceError, match="could not be built: it fails"):
        service.layers.unit_table("layer1.0")
    assert len(service.layers.unit_table("layer2.0").maximum) == 128


def test_a_state_with_a_bookmark_of_an_opened_layer_is_restored(service, resnet, tiny_images):
    with dw.LayerExplorer(service, layer="layer4", state={"unit": 3}) as explorer:
        explorer.state = {"bookmarks": [["layer4", 3]]}
        explorer.state = {"layer": "conv1"}
        saved = explorer.state
    another = LocalModelService(resnet, tiny_images, device="cpu", layers=["conv1"], worker=SynchronousExecutor())
    with dw.LayerExplorer(another, state=saved) as explorer:
        assert explorer.state == saved
    assert [layer.short_name for layer in another.overview().opened] == ["layer4"]


def test_an_index_that_a_closed_service_did_not_complete_is_not_waited_for(resnet, tiny_images, manual_executor):
    service = LocalModelService(resnet, tiny_images, device="cpu", layers=["conv1"], worker=manual_executor)
    explorer = dw.LayerExplorer(service)
    service.close()
    for job in manual_executor.jobs:
        job.cancel()
        job.run()
    for wait in (service.wait, explorer.picture):
        with pytest.raises(ServiceError, match="was closed before the index was complete: make a new one"):
            wait()
