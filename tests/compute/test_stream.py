"""Decoding ahead of the computation, and making a model ready for it."""

import pytest

from deconvwidgets.compute.devices import on_device
from deconvwidgets.compute.stream import decoded_ahead
from deconvwidgets.errors import ModelError


@pytest.mark.parametrize(("inputs", "ahead", "waiting"), [(1, 4, 4), (3, 7, 3), (10, 4, 1)])
def test_a_bounded_number_of_inputs_waits_in_memory(inputs, ahead, waiting):
    begun = []

    def jobs():
        for number in range(40):
            begun.append(number)
            yield inputs, lambda number=number: number

    seen = []
    for place, made in enumerate(decoded_ahead(jobs(), 2, ahead)):
        seen.append(made)
        assert len(begun) == min(place + waiting, 40)
    assert seen == list(range(40))


def test_a_bare_model_is_not_taken_for_a_bundle(tiny_bundle):
    with pytest.raises(ModelError, match="A ModelBundle is expected"):
        on_device(tiny_bundle.model, "cpu")
