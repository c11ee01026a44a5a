"""The photographs of the shift microscope, and what each arm computes of them. They are cached, so that a drag costs one forward pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deconvwidgets.instruments.diagnosis.compute.microscope import ShiftMicroscope
from deconvwidgets.instruments.diagnosis.compute.wide_input import WideInput, wide_input
from deconvwidgets.instruments.diagnosis.panel_records import MARGIN, ShiftPhotograph
from deconvwidgets.instruments.diagnosis.service.runs import ArmRun
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.service.byte_cache import ByteCache
from deconvwidgets.service.device_lock import DeviceLock
from deconvwidgets.service.encoding import encode_image
from deconvwidgets.service.input_images import CROP, InputImages, crop_number, require_image_id
from deconvwidgets.service.snapshot import Snapshot

_PHOTOGRAPH_BYTES, _MICROSCOPE_BYTES = 32 << 20, 64 << 20


@dataclass(frozen=True, slots=True, eq=False)
class _Photograph:
    """A photograph with its margin. While it is cached, the id of its transform is that of no other one."""

    transform: object
    wide: WideInput
    caption: str
    label: str | None


class Microscopes:
    """Makes and caches microscopes. Thread-safe.

    Parameters
    ----------
    inputs : InputImages
        The photographs of the image set, and uploads.
    device_lock : DeviceLock
    share_of : callable
        Returns what this cache may use of a number of bytes: with several sessions, a share.
    """

    def __init__(self, inputs: InputImages, device_lock: DeviceLock, share_of: Callable[[int], int]) -> None:
        self._inputs, self._device_lock, self._share_of = inputs, device_lock, share_of
        self._photographs: ByteCache[_Photograph] = ByteCache(_PHOTOGRAPH_BYTES, lambda one: one.wide.pixels.nbytes)
        self._microscopes: ByteCache[ShiftMicroscope] = ByteCache(_MICROSCOPE_BYTES, lambda one: one.nbytes)

    def photograph(self, snapshot: Snapshot, image: str) -> ShiftPhotograph:
        """Return a photograph with its margin. Raises PictureError if there is none, or it cannot be read."""
        require_image_id(snapshot, image)
        found = self._photograph(snapshot, snapshot.bundle, image)
        _, height, width = snapshot.bundle.input_size
        return ShiftPhotograph(
            image=image,
            caption=found.caption,
            label=found.label,
            picture=encode_image(snapshot.bundle.to_picture(found.wide.pixels)),
            width=width,
            height=height,
            margin=MARGIN,
            filled=tuple(MARGIN - pixels for pixels in found.wide.real),  # type: ignore[arg-type] # four of them
        )

    def get(self, snapshot: Snapshot, arm: ArmRun, image: str) -> ShiftMicroscope:
        """Return the microscope of an arm and a photograph. Raises what `photograph` raises."""
        require_image_id(snapshot, image)
        key = (arm.bundle.network, arm.bundle.classifier, image)
        found = self._microscopes.get(key)
        if found is None:
            photograph = self._photograph(snapshot, arm.bundle, image)
            with self._device_lock.request():
                found = ShiftMicroscope(arm.bundle, photograph.wide, photograph.label)
            self._microscopes.limit = max(self._share_of(_MICROSCOPE_BYTES), found.nbytes)  # one whatever its size: a drag asks for it
            self._microscopes.put(key, found)
        return found

    def clear(self) -> None:
        """Forget what networks computed: they are no longer used."""
        self._microscopes.keep_only(lambda key: False)

    def _photograph(self, snapshot: Snapshot, bundle: ModelBundle, image: str) -> _Photograph:
        key = (id(bundle.transform), bundle.input_size, image)
        found = self._photographs.get(key)
        if found is None:
            whole = self._inputs.whole(snapshot, image)
            found = _Photograph(bundle.transform, wide_input(bundle, whole.image, MARGIN), whole.caption, whole.label)
            self._photographs.put(key, found)
        return found

    def neighbour(self, snapshot: Snapshot, image: str, step: int) -> str:
        """Return the photograph `step` places after one, in a circle: the uploads, newest first, then the image set's.

        Neither is opened, so that there is a way past a photograph that cannot be read.
        """
        require_image_id(snapshot, image)
        images, uploads = snapshot.images, self._inputs.uploads.names()
        if image.startswith(CROP):
            place = len(uploads) + images.crop(crop_number(snapshot, image)).source
        else:
            place = uploads.index(image) if image in uploads else 0  # one that is no longer kept, but cached, was before the oldest
        place = (place + step) % (len(uploads) + images.source_count)
        return uploads[place] if place < len(uploads) else f"{CROP}{images.crops_of(place - len(uploads))[0]}"
