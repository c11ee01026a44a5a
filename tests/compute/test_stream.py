"""Decoding ahead of the computation, and making a model ready for it."""

import pytest

from deconvwidgets.compute.devices import ready_model
from deconvwidgets.compute.stream import decoded_ahead
from deconvwidgets.engine import Network
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


def test_a_network_that_was_followed_is_not_followed_again(tiny_bundle, monkeypatch):
    network = Network.of(tiny_bundle.model, tiny_bundle.input_size)
    monkeypatch.setattr(Network, "of", lambda *_: pytest.fail("followed again"))
    assert ready_model(tiny_bundle, "cpu", network) == (tiny_bundle, network)


def test_a_bare_model_is_not_taken_for_a_bundle(tiny_bundle):
    with pytest.raises(ModelError, match="A ModelBundle is needed here"):
        ready_model(tiny_bundle.model, "cpu")
