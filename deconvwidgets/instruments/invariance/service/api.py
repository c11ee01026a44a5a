"""The requests about transformed photographs: one amount is answered at once, whole curves by a worker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from deconvwidgets.arguments import describe, instance, integer, texts
from deconvwidgets.engine.deepest_map import deepest_map
from deconvwidgets.errors import InvarianceError, LayerError
from deconvwidgets.instruments.invariance.compute.curves import photograph_curves
from deconvwidgets.instruments.invariance.compute.features import FeaturePass
from deconvwidgets.instruments.invariance.compute.invariance import notes_of, spread
from deconvwidgets.instruments.invariance.compute.layers import checked_layers, default_layers, offered_layers
from deconvwidgets.instruments.invariance.compute.transformed import TransformedPhotograph, describe_fill
from deconvwidgets.instruments.invariance.figures.files import invariance_file
from deconvwidgets.instruments.invariance.figures.view import view_file
from deconvwidgets.instruments.invariance.records import (
    InvarianceChoices,
    InvarianceCurves,
    InvarianceRequest,
    InvarianceView,
    Measure,
    PhotographCurves,
    UnitPicture,
)
from deconvwidgets.instruments.invariance.service.scenes import Scene
from deconvwidgets.instruments.invariance.service.units import unit_pictures
from deconvwidgets.instruments.invariance.transforms import Transform, TransformKind, kind_of
from deconvwidgets.records.layers import LayerInfo
from deconvwidgets.service.byte_cache import ByteCache
from deconvwidgets.service.context import ServiceContext
from deconvwidgets.service.instrument import InstrumentApi
from deconvwidgets.service.snapshot import Snapshot

MAX_IMAGES = 12
MAX_LAYERS = 12
_DEFAULT_IMAGES = 5
_MAX_UNITS = 64
_SCENE_BYTES, _CURVES_BYTES = 192 << 20, 32 << 20


class InvarianceApi(InstrumentApi):
    """Implements `InvarianceService`. Every method may be called from any thread."""

    def __init__(self, context: ServiceContext) -> None:
        super().__init__(context)
        self._scenes: ByteCache[Scene] = ByteCache(context.share_of(_SCENE_BYTES), Scene.nbytes)
        self._curves: ByteCache[PhotographCurves] = ByteCache(context.share_of(_CURVES_BYTES), _nbytes)
        scenes, curves = self._scenes, self._curves

        def forget(snapshot: Snapshot) -> None:
            scenes.keep_only(lambda key: key[0] == snapshot.bundle_version)
            curves.keep_only(lambda key: key[0] == snapshot.bundle_version)

        context.on_replace(forget)

    def choices(self) -> InvarianceChoices:
        """Return the layers, the default photographs, and what the model predicts."""
        snapshot = self._context.snapshot
        network, images, quantity = snapshot.network, snapshot.images, snapshot.bundle.quantity
        offered = tuple(info.short_name for info in offered_layers(network))
        predicts = "" if quantity is None or snapshot.bundle.classifier is None else quantity.kind
        return InvarianceChoices(
            layers=offered,
            default_layers=tuple(info.short_name for info in default_layers(network)),
            images=tuple(f"crop:{images.crops_of(source)[0]}" for source in spread(images.source_count, _DEFAULT_IMAGES)),
            uploads=tuple(self._context.input_images.uploads.names()),
            side=min(snapshot.bundle.input_size[1:]),
            fill=describe_fill(snapshot.bundle),
            predicts=predicts,
        )

    def view(self, request: InvarianceRequest) -> InvarianceView:
        """Return the transformed photograph, the distances of its features, its strongest units, and the classes.

        Raises
        ------
        InvarianceError
            For an unknown transformation, an amount out of range, or too many layers.
        LayerError
            For an unknown layer.
        PictureError
            If there is no such image, or it cannot be read.
        """
        self._context.record_request()
        kind, amount = _checked(request)
        top = integer(request.top, "top", 1, _MAX_UNITS)
        lock = self._context.device_lock
        with lock.pause_batches():
            scene = self._scene(request)
            with lock.request():
                return scene.view(kind, amount, top)

    def unit_pictures(self, request: InvarianceRequest, units: Sequence[int], size: int = 96) -> Sequence[UnitPicture]:
        """Return the projection and the patch of units of the request's layer in the transformed photograph.

        Raises
        ------
        LayerError
            For an unknown layer or unit.
        ServiceError
            For a size that is not between 16 and 1024 pixels. Otherwise it raises what `view` raises.
        """
        self._context.record_request()
        snapshot = self._context.snapshot
        kind, amount = _checked(request)
        size = integer(size, "size, the pixels of a projection,", 16, 1024)
        info = _unit_layer(snapshot, request.layer)
        if not isinstance(units, list | tuple) or len(units) > _MAX_UNITS:
            raise LayerError(f"units must be a list of at most {_MAX_UNITS} units, not {describe(units)}.")
        numbers = [integer(unit, f"unit of {info.short_name}", 0, info.channels - 1, LayerError) for unit in units]
        pixels = self._photograph(snapshot, request.image).input(kind, amount)
        with self._context.device_lock.request():  # it may be traced here
            network = snapshot.below.network(info.name)
        return unit_pictures(snapshot.bundle, network, pixels, info, numbers, size, self._context.device_lock)

    def curves(self, images: Sequence[str], transform: Transform, layers: Sequence[str]) -> InvarianceCurves:
        """Return the curves of some images over the default amounts. Those of an image are kept, and computed in some seconds.

        Parameters
        ----------
        images : sequence of str
            At most 12, "crop:17" or "upload:<id>".
        transform : str
            As in `dw.invariance`.
        layers : sequence of str
            At most 12 names or aliases.

        Raises what `view` raises.
        """
        snapshot, kind = self._context.snapshot, kind_of(transform)
        names = texts(images, "images", "the names of one or more images, such as ['crop:17']", InvarianceError)
        if len(names) > MAX_IMAGES:
            raise InvarianceError(f"Curves are drawn of at most {MAX_IMAGES} photographs, not {len(names)}.")
        infos = _layers(snapshot, list(layers) if isinstance(layers, tuple) else layers)
        found = tuple(self._curves_of(snapshot, image, kind, infos) for image in dict.fromkeys(names))
        bundle = snapshot.bundle
        return InvarianceCurves(
            model=bundle.label,
            images=snapshot.images.name,
            transform=kind.name,
            amounts=np.array(kind.amounts(min(bundle.input_size[1:]))),
            layers=tuple(info.short_name for info in infos),
            photographs=found,
            quantity=bundle.quantity,
            fill=describe_fill(bundle),
            notes=notes_of(bundle, kind, found),
        )

    def known(self, images: Sequence[str], transform: Transform, layers: Sequence[str]) -> bool:
        """Return whether the curves of all these images are computed. Raises what `curves` raises for an unknown layer."""
        snapshot, kind = self._context.snapshot, kind_of(transform)
        infos = _layers(snapshot, list(layers))
        return all(self._curves.get(_key(snapshot, image, kind, infos)) is not None for image in images)

    def view_picture(self, request: InvarianceRequest) -> bytes:
        """Return a PNG of what `view` returns. Raises what `view` raises."""
        return view_file(self.view(request), self._context.snapshot.bundle.label, request)

    def file(self, kind: str, images: Sequence[str], transform: Transform, layers: Sequence[str], measure: Measure = "relative") -> bytes:
        """Return the curves as "png", "svg", "pdf", "html" or "csv". Raises InvarianceError for another kind, and what `curves` raises."""
        return invariance_file(self.curves(images, transform, layers), kind, measure)

    def _curves_of(self, snapshot: Snapshot, image: str, kind: TransformKind, infos: tuple[LayerInfo, ...]) -> PhotographCurves:
        key = _key(snapshot, image, kind, infos)
        found = self._curves.get(key)
        if found is None:
            context, bundle = self._context, snapshot.bundle
            whole = context.input_images.whole(snapshot, image)
            job = context.job_context(lambda: context.snapshot.bundle is not bundle)  # a new index changes the snapshot, but no curve
            features = FeaturePass(bundle, [info.name for info in infos])
            amounts = kind.amounts(min(bundle.input_size[1:]))
            photograph = TransformedPhotograph(bundle, whole.image)
            found = photograph_curves(features, photograph, whole.caption, whole.label, kind, amounts, job, lambda count: None)
            self._curves.put(key, found)
        return found

    def _scene(self, request: InvarianceRequest) -> Scene:
        snapshot = self._context.snapshot
        infos, unit_layer = _layers(snapshot, list(request.layers), empty=True), _unit_layer(snapshot, request.layer)
        key = (snapshot.bundle_version, request.image, infos, unit_layer)
        scene = self._scenes.get(key)
        if scene is None:
            whole = self._context.input_images.whole(snapshot, request.image)
            photograph = TransformedPhotograph(snapshot.bundle, whole.image)
            with self._context.device_lock.request():
                scene = Scene(snapshot.bundle, photograph, whole.caption, whole.label, infos, unit_layer)
            self._scenes.put(key, scene)
        return scene

    def _photograph(self, snapshot: Snapshot, image: str) -> TransformedPhotograph:
        return TransformedPhotograph(snapshot.bundle, self._context.input_images.whole(snapshot, image).image)


def _key(snapshot: Snapshot, image: str, kind: TransformKind, infos: tuple[LayerInfo, ...]) -> tuple[object, ...]:
    return (snapshot.bundle_version, image, kind.name, tuple(info.name for info in infos))


def _checked(request: object) -> tuple[TransformKind, float]:
    """Return the transformation and the amount of a request. Raises InvarianceError or ServiceError for invalid ones."""
    checked = instance(request, InvarianceRequest, "request")
    kind = kind_of(checked.transform)
    return kind, kind.checked(checked.amount)


def _layers(snapshot: Snapshot, layers: Any, *, empty: bool = False) -> tuple[LayerInfo, ...]:
    """Return layers by their names. Raises LayerError for an unknown one, InvarianceError for too many."""
    if empty and isinstance(layers, list) and not layers:
        return ()
    infos = checked_layers(snapshot.network, layers)
    if len(infos) > MAX_LAYERS:
        raise InvarianceError(f"Curves are drawn of at most {MAX_LAYERS} layers, not {len(infos)}.")
    return infos


def _unit_layer(snapshot: Snapshot, name: str | None) -> LayerInfo:
    network = snapshot.network
    chosen = deepest_map(network, network.feature_map_layers) if name is None else None
    return chosen or checked_layers(network, name)[0]


def _nbytes(curves: PhotographCurves) -> int:
    return curves.distances.nbytes + curves.examples.nbytes + 1024
