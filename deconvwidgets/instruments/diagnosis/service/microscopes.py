"""The photographs of the shift microscope, and what each arm computes of them. They are cached, so that a drag costs one forward pass."""

from __future__ import annotations

from collections.abc import Callable

from deconvwidgets.errors import PictureError
from deconvwidgets.images.image_set import ImageSet, label_name
from deconvwidgets.instruments.diagnosis.compute.microscope import ShiftMicroscope, watched_layers
from deconvwidgets.instruments.diagnosis.compute.wide_input import WideInput, wide_input
from deconvwidgets.instruments.diagnosis.panel_records import MARGIN, ShiftPhotograph
from deconvwidgets.instruments.diagnosis.service.runs import ArmRun
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.service.byte_cache import ByteCache
from deconvwidgets.service.device_lock import DeviceLock
from deconvwidgets.service.encoding import encode_image
from deconvwidgets.service.image_uploads import PREFIX
from deconvwidgets.service.input_images import CROP, crop_number
from deconvwidgets.service.snapshot import Snapshot

_PHOTOGRAPH_BYTES, _MICROSCOPE_BYTES = 32 << 20, 64 << 20


class Microscopes:
    """Makes and caches microscopes. Thread-safe.

    Parameters
    ----------
    share_of : callable
        Returns what this cache may use of a number of bytes: with several sessions, a share.
    """

    def __init__(self, device_lock: DeviceLock, share_of: Callable[[int], int]) -> None:
        self._device_lock, self._share_of = device_lock, share_of
        self._photographs: ByteCache[tuple[object, WideInput]] = ByteCache(_PHOTOGRAPH_BYTES, lambda one: one[1].pixels.nbytes)
        self._microscopes: ByteCache[ShiftMicroscope] = ByteCache(_MICROSCOPE_BYTES, lambda one: one.nbytes)

    def photograph(self, snapshot: Snapshot, image: str) -> ShiftPhotograph:
        """Return a photograph with its margin. Raises PictureError if there is none, or it cannot be read."""
        number, images = _crop(snapshot, image), snapshot.images
        crop, shifted = images.crop(number), self._photograph(snapshot, snapshot.bundle, number)
        name, (_, height, width) = images.source_name(crop.source), snapshot.bundle.input_size
        picture = encode_image(snapshot.bundle.to_picture(shifted.pixels))
        return ShiftPhotograph(
            image=image,
            caption=name if crop.number == 0 else f"{name}, crop {crop.number + 1}",
            label=label_name(images, crop.source),
            picture=picture,
            width=width,
            height=height,
            margin=MARGIN,
            filled=tuple(MARGIN - pixels for pixels in shifted.real),  # type: ignore[arg-type] # four of them
            previous=_first_crop(images, crop.source - 1),
            next=_first_crop(images, crop.source + 1),
        )

    def get(self, snapshot: Snapshot, arm: ArmRun, image: str) -> ShiftMicroscope:
        """Return the microscope of an arm and a photograph. Raises what `photograph` raises."""
        number = _crop(snapshot, image)
        key = (arm.bundle.network, arm.bundle.classifier, number)
        found = self._microscopes.get(key)
        if found is None:
            photograph = self._photograph(snapshot, arm.bundle, number)
            label = label_name(snapshot.images, snapshot.images.crop(number).source)
            with self._device_lock.request():
                found = ShiftMicroscope(arm.bundle, photograph, watched_layers(arm.bundle), label)
            self._microscopes.limit = max(self._share_of(_MICROSCOPE_BYTES), found.nbytes)  # one whatever its size: a drag asks for it
            self._microscopes.put(key, found)
        return found

    def clear(self) -> None:
        """Forget what networks computed: they are no longer used."""
        self._microscopes.keep_only(lambda key: False)

    def _photograph(self, snapshot: Snapshot, bundle: ModelBundle, number: int) -> WideInput:
        # With the transform in the value, its id is that of no other transform as long as the value is cached.
        key = (id(bundle.transform), bundle.input_size, number)
        if (cached := self._photographs.get(key)) is not None:
            return cached[1]
        found = wide_input(bundle, snapshot.images.open_crop(number), MARGIN)
        self._photographs.put(key, (bundle.transform, found))
        return found


def _first_crop(images: ImageSet, source: int) -> str:
    return f"{CROP}{images.crops_of(source % images.source_count)[0]}"


def _crop(snapshot: Snapshot, image: str) -> int:
    if isinstance(image, str) and image.startswith(PREFIX):
        raise PictureError("The shift microscope shows photographs of the image set, not uploads: choose 'crop:0', for example.")
    return crop_number(snapshot, image)
