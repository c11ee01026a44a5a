"""One of a unit's strongest activations, enlarged: projection, patch, and the unit's feature map over the model's input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import torch

from deconvwidgets import display
from deconvwidgets.arguments import instance, integer, one_of
from deconvwidgets.compute.devices import to_model
from deconvwidgets.errors import LayerError, PictureError, RuleError
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.instruments.layers.records import EnlargedActivation, EnlargeRequest
from deconvwidgets.records.activations import Activation
from deconvwidgets.records.images import EncodedImage
from deconvwidgets.records.layers import LayerInfo, map_extent
from deconvwidgets.records.mosaics import Contrast, Rule
from deconvwidgets.service.device_lock import DeviceLock
from deconvwidgets.service.encoding import GRID, encode_image
from deconvwidgets.service.prepared_images import PreparedImageCache, required
from deconvwidgets.service.snapshot import Snapshot
from deconvwidgets.service.unit_projections import UnitProjections

_SIZES = range(16, 1025)


class EnlargedActivations:
    """Renders enlarged activations. Thread-safe. `projections` are those of the mosaics, so an enlarged tile is rarely computed again."""

    def __init__(self, device_lock: DeviceLock, images: PreparedImageCache, projections: UnitProjections) -> None:
        self._device_lock = device_lock
        self._images = images
        self._projections = projections

    def get(self, snapshot: Snapshot, index: ActivationIndex, info: LayerInfo, request: EnlargeRequest) -> EnlargedActivation:
        """Return the activation of `request.rank` in the layer `info`.

        If the rule cannot be applied to the layer, the record has the reason instead of a projection.

        Raises
        ------
        LayerError
            For an unknown layer or unit, or a rank that the unit does not have.
        ServiceError
            For an unknown rule or contrast, or a size that is not between 16 and 1024 pixels.
        """
        request = _checked(request)
        top = index.top(info.name, request.unit)[: GRID * GRID]
        activation = chosen_activation(top, request.rank, request.layer, request.unit)
        ((pixels, image),) = self._images.get(snapshot, [activation.image])
        patch = image if activation.box is None else display.crop_patch(image, activation.box)
        projection, reason = self._projection(snapshot, info, top, request)
        with self._device_lock.request(), torch.no_grad():
            maps = snapshot.below.network(info.name).map(to_model(pixels[None], snapshot.bundle.model), info.name)
            feature_map = maps[0, request.unit].float().cpu().numpy().copy()
        return EnlargedActivation(
            projection=projection,
            rejection_reason=reason,
            patch=encode_image(display.resize_image(patch, request.size)),
            feature_map=feature_map,
            extent=map_extent(info, feature_map.shape, snapshot.bundle.input_size[1:]),
            value=activation.value,
            row=activation.row,
            column=activation.column,
        )

    def _projection(
        self, snapshot: Snapshot, info: LayerInfo, top: Sequence[Activation], request: EnlargeRequest
    ) -> tuple[EncodedImage | None, str]:
        """Return the projection and "", or None and the reason why the rule cannot be applied."""
        shared = request.contrast == "shared"  # with the others, of which some may be unreadable
        shown = [top[request.rank], *([one for rank, one in enumerate(top) if rank != request.rank] if shared else [])]
        try:
            found = self._projections.each(snapshot, info.name, [(request.unit, one) for one in shown], request.rule)
        except RuleError as error:
            return None, str(error)
        channels = snapshot.bundle.channels_to_display
        displayed = [required(found[0])[channels], *(one[channels] for one in found[1:] if not isinstance(one, PictureError))]
        return encode_image(display.projections_to_rgb(displayed, request.size, shared=shared)[0]), ""


def chosen_activation(top: Sequence[Activation], rank: int, layer: str, unit: int) -> Activation:
    """Return the activation of a rank, of which 0 is the strongest. Raises LayerError if the unit does not have it."""
    if not 0 <= rank < len(top):
        raise LayerError(f"Unit {unit} of {layer} has {len(top)} strongest activations: there is no rank {rank}")
    return top[rank]


def _checked(request: EnlargeRequest) -> EnlargeRequest:
    """Return the request with Python integers. Raises LayerError or ServiceError for an invalid one."""
    one_of(instance(request, EnlargeRequest, "request").rule, "rule", get_args(Rule))
    one_of(request.contrast, "contrast", get_args(Contrast))
    return EnlargeRequest(
        layer=request.layer,
        unit=integer(request.unit, "unit", error=LayerError),
        rank=integer(request.rank, "rank", error=LayerError),
        rule=request.rule,
        contrast=request.contrast,
        size=integer(request.size, "size, the pixels of an enlarged picture,", _SIZES.start, _SIZES.stop - 1),
    )
