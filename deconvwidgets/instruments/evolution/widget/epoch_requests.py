"""The requests of the selected unit, which are those of a LayerExplorer, at an epoch.

They name a layer of an epoch as "conv4, epoch 20", and one of a step as "conv4, step 500", so that every cache of the front end tells the
checkpoints apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from deconvwidgets.errors import LayerError
from deconvwidgets.instruments.evolution.service.protocol import EvolutionService
from deconvwidgets.instruments.layers.service.protocol import LayersService
from deconvwidgets.instruments.layers.widget.messages import HANDLERS as LAYER_HANDLERS
from deconvwidgets.widgets.messages import Handler, Handlers, Reply, Request

_KINDS = ("mosaics", "unit_detail", "source_image", "enlarged")
_NAME = re.compile(r"(?P<layer>.+), (?:epoch|step) (?P<epoch>\d{1,9})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _AtEpoch:
    """The service of a LayerExplorer, as far as these requests need it."""

    layers: LayersService


def layer_and_epoch(name: str) -> tuple[str, int]:
    """Return the layer and the epoch of a name such as "conv4, epoch 20". Raises LayerError for any other."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise LayerError(f"{name!r} is no layer at an epoch, such as 'conv4, epoch 20'.")
    return found["layer"], int(found["epoch"])


def _handler(kind: str) -> Handler:
    answer = LAYER_HANDLERS[kind].answer

    def answer_at_epoch(service: EvolutionService, request: Request) -> Reply:
        layer, epoch = layer_and_epoch(request.text("layer"))
        return answer(_AtEpoch(service.layers_of(epoch)), Request({**request.content, "layer": layer}, request.buffers))

    return Handler(answer_at_epoch, "worker")  # the model of the epoch may have to be read


EPOCH_HANDLERS: Handlers = {kind: _handler(kind) for kind in _KINDS}
