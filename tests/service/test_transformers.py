"""The explorers and the transfer panel of transformers: their token layers are used like the maps of convolutions."""

import copy

import numpy as np
import pytest
import torch

from deconvwidgets.errors import RuleError
from deconvwidgets.instruments.occlusion.records import MapsSettings, OcclusionRequest
from deconvwidgets.instruments.transfer.records import TransferSettings
from deconvwidgets.local_service import LocalModelService
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess
from deconvwidgets.service.worker import SynchronousExecutor
from tests.engine.token_models import torchvision_swin, torchvision_vit

# The model, a layer, its module's output as maps (N, C, H, W), and the layers that the explorers show.
MODELS = {
    "ViT": (
        torchvision_vit,
        "encoder.layers.encoder_layer_1",
        lambda tokens: tokens[:, 1:].transpose(1, 2).reshape(len(tokens), -1, 4, 4),
        ["conv_proj", "encoder.layers.encoder_layer_0", "encoder.layers.encoder_layer_1"],
    ),
    "Swin": (
        torchvision_swin,
        "features.3.0",
        lambda maps: maps.permute(0, 3, 1, 2),
        ["features.0.0", "features.1.0", "features.1.1", "features.3.0"],
    ),
}


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("DECONVWIDGETS_CACHE", str(tmp_path_factory.mktemp("cache")))


def maps_of(bundle, layer, as_map, batch):
    """Return the output of a module as maps, seen by a forward hook."""
    outputs = []
    handle = bundle.model.get_submodule(layer).register_forward_hook(lambda module, args, output: outputs.append(as_map(output)))
    with torch.no_grad():
        logits = bundle.model(batch)
    handle.remove()
    return outputs[0], logits


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_index_projections_occlusion_and_a_new_head(name, noise):
    make, layer, as_map, layers = MODELS[name]
    transform = Preprocess(resize=32, crop=(32, 32), mean=(0.5,) * 3, std=(0.25,) * 3)
    bundle = ModelBundle.from_module(copy.deepcopy(make()).float(), transform=transform, categories=list("abcde"), name="tiny")
    images = noise(12)
    crops = torch.stack([bundle.prepare(images.open_crop(number)) for number in range(len(images))])
    truth, logits = maps_of(bundle, layer, as_map, crops)
    service = LocalModelService(bundle, images, device="cpu", worker=SynchronousExecutor())
    try:
        assert [one.info.name for one in service.overview().layers] == layers
        check_layers(service, layer, truth)
        check_occlusion(service, bundle, layer, as_map, crops[3], logits[3].softmax(0))
        check_new_head(service, layer)
    finally:
        service.close()


def check_layers(service, layer, truth):
    strongest = truth.flatten(2).max(2).values  # (crops, units)
    positive = strongest.max(0).values != 0
    for unit in positive.nonzero().flatten().tolist():
        first = service.index.top(layer, unit)[0]
        assert first.value == pytest.approx(float(strongest[:, unit].max()), abs=1e-4)
        assert float(truth[first.image, unit, first.row, first.column]) == pytest.approx(first.value, abs=1e-4)
        assert first.box is None or first.box == (0, 0, 32, 32), "attention reads the whole image"
    with pytest.raises(RuleError, match=r"rule='gradient'.*top activations, occlusion and a head for new classes"):
        service.layers.top_activations(layer, 1, "deconvnet")
    assert service.layers.top_activations(layer, 1, "gradient").count == 9
    state = {"layer": layer, "unit": 1, "rule": "gradient"}
    assert service.layers.figure("unit.png", state).startswith(b"\x89PNG")


def check_occlusion(service, bundle, layer, as_map, image, probabilities):
    request = OcclusionRequest("crop:3", layer=layer, unit=2, target=1)
    found = service.occlusion.wait(service.occlusion.start_maps(request, MapsSettings((16, 16), (16, 16), "inside")))
    assert found.unoccluded.probability == pytest.approx(float(probabilities[1]), abs=1e-5)
    assert found.probability.shape == (2, 2)
    for row, column in np.ndindex(2, 2):
        occluded = image.clone()
        occluded[:, 16 * row : 16 * row + 16, 16 * column : 16 * column + 16] = 0
        maps, logits = maps_of(bundle, layer, as_map, occluded[None])
        assert float(found.probability[row, column]) == pytest.approx(float(logits[0].softmax(0)[1]), abs=1e-5)
        assert float(found.activity[row, column]) == pytest.approx(float(maps[0, 2].sum()), abs=1e-3)


def check_new_head(service, layer):
    transfer = service.transfer
    choices = [name for name, _ in transfer.status().layers]
    assert choices[0] == layer, "the deepest layer with maps comes first"
    settings = TransferSettings("images", layer=layer, images_per_class=2, folds=1)
    run = transfer.start(settings)
    transfer.wait(run, timeout=60)
    assert transfer.results(run).summary.phase == "done", transfer.results(run).summary.problem
    transfer.use_head(run)
    answer = service.occlusion.answer(OcclusionRequest("crop:3", layer=layer, unit=2), [(0, 0, 8, 8)])
    assert {share.name for share in answer.classes} == {"cat", "dog", "kite"}
    assert answer.map.shape == (4, 4)
