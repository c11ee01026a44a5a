"""A cache of decoded crops on disk, so that a second pass over an image set need not decode it again.

The folder has a subfolder for each image set and way of decoding, and this a file for every `PART_CROPS` consecutive crops: their pixels, a
record in JSON, and a footer with the SHA-256 of both. Labels are not in it: they belong to the image set.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import warnings
from collections.abc import Sequence
from pathlib import Path
from struct import Struct
from struct import error as StructError

import numpy as np
import PIL
from numpy.typing import NDArray

from deconvwidgets.assets.cache import sweep_abandoned
from deconvwidgets.compute.decoded import DecodedBatch
from deconvwidgets.compute.decoder import CropDecoder
from deconvwidgets.errors import PictureError
from deconvwidgets.images.image_set import ImageSet, digest_of
from deconvwidgets.models.preprocess import Preprocess

PART_CROPS = 256
_MAGIC = b"decoded1"
_FOOTER = Struct("<8sQ32s")  # magic, length of the record, SHA-256 of pixels and record


class DecodedCache:
    """Decoded crops of one image set, prepared in one way, in a folder.

    Complete files are read by later passes, also of other models whose transform has the same resizing and cropping. A damaged file is
    decoded again. If nothing can be written (a full disk, a read-only folder), a warning says so, and decoding goes on without the cache.

    Parameters
    ----------
    folder : Path
        Created if needed. It may hold the caches of several image sets.
    decoder : CropDecoder
        Decides what is in the cache: the digest of the image set, the transform before its normalisation, `scaled_jpeg`, and the version of
        Pillow.

    Raises
    ------
    PictureError
        If the transform is not a `Preprocess`: its output may be as large as the model's input, and may change with its state.
    """

    def __init__(self, folder: Path, decoder: CropDecoder) -> None:
        transform = decoder.transform
        if not isinstance(transform, Preprocess):
            raise PictureError(
                f"The decoded cache holds pixels before normalisation, and the transform of {decoder.model} has none that is "
                "known: build without decoded_cache, or use a Preprocess or a transform of torchvision."
            )
        way = (type(transform).__name__, transform.resize, transform.crop, int(transform.interpolation), len(transform.mean))
        identity = [decoder.images.digest, repr(way), str(decoder.scaled_jpeg), PIL.__version__]
        self.folder = folder / digest_of(identity)[:32]
        self._images, self._shape = decoder.images, decoder.input_size
        self._writable, self._swept = True, False

    def read(self, part: int) -> DecodedBatch | None:
        """Return the crops of a part, whose pixels are mapped into memory; None if it is missing or damaged."""
        path = self._path(part)
        try:
            content = np.memmap(path, np.uint8, "c")  # writable, as torch requires it: private copies of pages
            found = self._parsed(content)
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            ArithmeticError,
            StructError,
        ):  # no such file, an empty or cut one, a damaged record
            return None
        first = part * PART_CROPS
        requested = np.arange(first, first + self.size_of(part))
        return found if found is not None and np.array_equal(found.crops, requested) else None  # a renamed file has other crops

    def has(self, part: int) -> bool:
        """Return whether there is a file of a part, which may be damaged."""
        return self._path(part).is_file()

    def size_of(self, part: int) -> int:
        """Return the number of crops of a part."""
        return min(PART_CROPS, len(self._images) - part * PART_CROPS)

    def write(self, part: int, batches: Sequence[DecodedBatch]) -> None:
        """Write all crops of a part, atomically. A part with a photograph that cannot be read is not written: it may be mended."""
        if not self._writable or any(batch.skipped for batch in batches):
            return
        path = self._path(part)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            if not self._swept:
                self.folder.mkdir(parents=True, exist_ok=True)
                sweep_abandoned(self.folder, ".part-*")
                self._swept = True
            _write(temporary, batches)
            os.replace(temporary, path)
        except OSError as error:
            self._writable = False
            temporary.unlink(missing_ok=True)
            warnings.warn(
                f"The decoded cache {self.folder.parent} cannot be written: {error.strerror}. Decoding goes on without it.", stacklevel=2
            )

    def _path(self, part: int) -> Path:
        return self.folder / f"part-{part:08}"

    def _parsed(self, content: NDArray[np.uint8]) -> DecodedBatch | None:
        magic, length, digest = _FOOTER.unpack(content[-_FOOTER.size :].tobytes())
        body = content[: -_FOOTER.size]
        if magic != _MAGIC or length > len(body) or hashlib.sha256(body.data).digest() != digest:
            return None
        record = json.loads(body[len(body) - length :].tobytes())
        crops, sources, numbers = (np.array(record[name], np.int64) for name in ("crops", "sources", "numbers"))
        pixels = body[: len(body) - length].reshape(len(crops), *self._shape)
        contents = np.array([int(content, 16) for content in record["contents"]], np.uint64)
        labels = np.array([_label(self._images, source) for source in sources.tolist()], np.int64)
        return DecodedBatch(crops, sources, numbers, contents, labels, pixels)


def _label(images: ImageSet, source: int) -> int:
    label = images.label(source)
    return -1 if label is None else label


def _write(path: Path, batches: Sequence[DecodedBatch]) -> None:
    record = {
        "crops": [crop for batch in batches for crop in batch.crops.tolist()],
        "sources": [source for batch in batches for source in batch.sources.tolist()],
        "numbers": [number for batch in batches for number in batch.numbers.tolist()],
        "contents": [f"{content:016x}" for batch in batches for content in batch.contents.tolist()],
    }
    text = json.dumps(record, separators=(",", ":")).encode()
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for piece in (*(batch.pixels.tobytes() for batch in batches), text):
            digest.update(piece)
            file.write(piece)
        file.write(_FOOTER.pack(_MAGIC, len(text), digest.digest()))
        file.flush()
        os.fsync(file.fileno())
