"""Decoded crops are the inputs that `ModelBundle.prepare` returns, whatever the batches and the workers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deconvwidgets.compute.decoder import CropDecoder
from deconvwidgets.compute.decoding import decoded_batches


def inputs_of(decoder, batches):
    parts = [decoder.to_inputs(torch.from_numpy(batch.pixels)) for batch in batches]
    return torch.cat(parts)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("size", [1, 5, 32, 1000])
def test_batches_are_the_prepared_crops_in_order(tiny_bundle, tiny_images, size, workers):
    decoder = CropDecoder.of(tiny_bundle, tiny_images)
    batches = list(decoded_batches(decoder, range(len(tiny_images)), size, workers))
    assert [len(batch) for batch in batches[:-1]] == [size] * (len(batches) - 1)
    assert np.concatenate([batch.crops for batch in batches]).tolist() == list(range(len(tiny_images)))
    expected = torch.stack([tiny_bundle.prepare(tiny_images.open_crop(crop)) for crop in range(len(tiny_images))])
    assert torch.equal(inputs_of(decoder, batches), expected)
    records = [tiny_images.crop(crop) for crop in range(len(tiny_images))]
    assert np.concatenate([batch.sources for batch in batches]).tolist() == [record.source for record in records]
    assert np.concatenate([batch.numbers for batch in batches]).tolist() == [record.number for record in records]
