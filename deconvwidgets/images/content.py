"""Content ids of photographs: 64 bits that are equal for copies of a file, whatever their names."""

from __future__ import annotations

import hashlib

from PIL import Image


def content_of_bytes(data: bytes) -> int:
    """Return the content id of a file, 1 to 2^64 - 1: the first 8 bytes of its SHA-256 (0 becomes 1)."""
    return _first_bytes(hashlib.sha256(data))


def content_of_image(image: Image.Image) -> int:
    """Return the content id of an image that is no file, from its mode, size and pixels. See `content_of_bytes`."""
    digest = hashlib.sha256(f"{image.mode} {image.width} {image.height}\0".encode())
    digest.update(image.tobytes())
    return _first_bytes(digest)


def _first_bytes(digest: hashlib._Hash) -> int:
    return int.from_bytes(digest.digest()[:8], "big") or 1
