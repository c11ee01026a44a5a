"""A photograph whose file is deleted after the index was built: its own cell says so, and all others are drawn as before."""

import io
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

import deconvwidgets as dw
from deconvwidgets.errors import PictureError
from deconvwidgets.instruments.evolution.records import CellKey, CellPicturesRequest, UnitChoice
from deconvwidgets.instruments.layers.records import EnlargeRequest, PlacePicturesRequest
from deconvwidgets.instruments.occlusion.records import OcclusionRequest
from deconvwidgets.records.mosaics import MosaicRequest
from deconvwidgets.service.encoding import GAP, encode_image
from deconvwidgets.service.unreadable import unreadable_tile
from deconvwidgets.service.worker import SynchronousExecutor
from tests.conftest import NoisePhotographs
from tests.instruments.evolution.trainings import noise, unchanged, write_training

pytestmark = pytest.mark.usefixtures("own_cache")
LAYER, UNIT, TILE = "conv2", 0, 48


@pytest.fixture
def images():
    return NoisePhotographs()


@pytest.fixture
def service(tiny_bundle, images):
    with closing(dw.LocalModelService(tiny_bundle, images, device="cpu", worker=SynchronousExecutor())) as service:
        yield service


def delete(service, images, rank):
    """Delete the photograph of a rank, and forget what was decoded."""
    images.broken.add(images.crop(service.index.top(LAYER, UNIT)[rank].image).source)
    service._context.images.keep_only(-1)


def tiles(mosaic):
    pixels = np.asarray(Image.open(io.BytesIO(mosaic.data)).convert("RGB")).astype(int)
    step = TILE + GAP
    return [pixels[row * step : row * step + TILE, column * step : column * step + TILE] for row in range(3) for column in range(3)]


def difference(first, second):
    return float(np.abs(first - second).mean())


@pytest.mark.parametrize("contrast", ["tile", "shared"])
def test_a_mosaic_has_words_in_the_tile_of_a_deleted_photograph(service, images, contrast):
    request = MosaicRequest(LAYER, UNIT, tile=TILE, contrast=contrast)
    with closing(
        dw.LocalModelService(service._context.snapshot.bundle, NoisePhotographs(), device="cpu", worker=SynchronousExecutor())
    ) as whole:
        expected = whole.layers.mosaics(request)
    delete(service, images, 4)
    for found, before in zip(service.layers.mosaics(request), expected, strict=True):
        for rank, (tile, other) in enumerate(zip(tiles(found), tiles(before), strict=True)):
            if rank == 4:
                assert difference(tile, unreadable_tile(TILE)) < 12 < difference(other, unreadable_tile(TILE))
            else:
                assert difference(tile, other) < 8
    images.broken.clear()
    for again, before in zip(service.layers.mosaics(request), expected, strict=True):
        assert again == before, "the words are not kept when the file is there again"


def test_the_unit_pane_has_no_prediction_of_it_and_the_others_enlarge(service, images):
    before = service.layers.unit_detail(LAYER, UNIT, predictions=False)
    delete(service, images, 2)
    entries = service.layers.unit_detail(LAYER, UNIT).entries
    assert [entry.image for entry in entries] == [entry.image for entry in before.entries]
    assert [entry.prediction is None for entry in entries] == [rank == 2 for rank in range(9)]
    for contrast in ("tile", "shared"):
        assert service.layers.enlarged(EnlargeRequest(LAYER, UNIT, 1, contrast=contrast)).projection is not None
        with pytest.raises(PictureError, match="can no longer be read"):
            service.layers.enlarged(EnlargeRequest(LAYER, UNIT, 2, contrast=contrast))


@pytest.mark.parametrize("tab", ["strongest", "range"])
def test_a_place_says_why_it_has_no_picture(service, images, tab):
    places = service.layers.places(LAYER, UNIT, tab).places
    broken = images.crop(places[1].image).source
    images.broken.add(broken)
    service._context.images.keep_only(-1)
    pictures = service.layers.place_pictures(PlacePicturesRequest(LAYER, UNIT, tab, tuple(range(min(9, len(places)))), tile=TILE))
    words = encode_image(unreadable_tile(TILE))
    for place, picture in zip(places, pictures, strict=False):
        gone = images.crop(place.image).source == broken
        assert (picture.patch == words) == gone
        assert ("can no longer be read" in picture.reason) == gone
        assert (picture.projection is not None) == (not gone and place.value > 0)


def test_projections_of_other_photographs_beside_an_occlusion(service, images):
    top = service.index.top(LAYER, UNIT)
    own = top[5].image  # whose own projection comes first
    before = service.occlusion.projections(OcclusionRequest(image=f"crop:{own}", layer=LAYER, unit=UNIT), 64)
    delete(service, images, 1)
    found = service.occlusion.projections(OcclusionRequest(image=f"crop:{own}", layer=LAYER, unit=UNIT), 65)
    assert [one.value for one in found] == pytest.approx([one.value for one in before], rel=1e-4)
    assert ["cannot be read any more" in one.caption for one in found] == [False, False, True, False]
    assert found[2].projection == encode_image(unreadable_tile(65))
    assert found[2].box == before[2].box


def test_a_cell_of_an_evolution_says_why_it_has_no_picture(tmp_path, images):
    checkpoints = write_training(tmp_path, {0: unchanged, 1: noise(1), 4: noise(2)})
    with closing(dw.LocalEvolutionService(checkpoints, images, device="cpu", worker=SynchronousExecutor())) as service:
        rows = service.rows(UnitChoice(choose="chosen", units=tuple((LAYER, unit) for unit in range(5))))
        active = {CellKey(cell.epoch, row.layer, row.unit): cell for row in rows for cell in row.cells if cell.image is not None}
        broken = images.crop(next(iter(active.values())).image).source
        images.broken.add(broken)
        for picture in service.cell_pictures(CellPicturesRequest(cells=tuple(active), tile=TILE)):
            cell = active[picture.key]
            gone = images.crop(cell.image).source == broken
            assert ("can no longer be read" in picture.reason) == gone
            assert (picture.patch is None) == gone
            assert (picture.projection is not None) == (not gone and cell.value > 0)
