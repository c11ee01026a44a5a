"""Fixtures of the tests of models."""

import numpy as np
import pytest


@pytest.fixture
def on_input():
    """A function that returns the first projection at its place in the model's input, (channels, height, width)."""

    def paste(projection, height, width):
        left, top, right, bottom = (int(edge) for edge in projection.boxes[0])
        whole = np.zeros((projection.pixels.shape[1], height, width), np.float32)
        rows, columns = slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))
        whole[:, rows, columns] = projection.pixels[0][:, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        return whole

    return paste
