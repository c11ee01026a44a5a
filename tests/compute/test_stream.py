"""Decoding ahead of the computation, and moving a model to a device."""

import pytest

from deconvwidgets.compute.stream import decoded_ahead
from deconvwidgets.errors import ModelError
from deconvwidgets.models.devices import on_device


@pytest.mark.parametrize(("inputs", "ahead", "pending"), [(1, 4, 4), (3, 7, 3), (10, 4, 1)])
def test_a_bounded_number_of_inputs_is_decoded_ahead(inputs, ahead, pending):
    started = []

    def jobs():
        for number in range(40):
            started.append(number)
            yield inputs, lambda number=number: number

    results = []
    for position, result in enumerate(decoded_ahead(jobs(), 2, ahead)):
        results.append(result)
        assert len(started) == min(position + pending, 40)
    assert results == list(range(40))


def test_a_bare_model_raises_an_error(tiny_bundle):
    with pytest.raises(ModelError, match="A ModelBundle is expected"):
        on_device(tiny_bundle.model, "cpu")
