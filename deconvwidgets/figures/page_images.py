"""Images of HTML pages, in the best quality with which all of them fit into a file size."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image

from deconvwidgets.display import Rgb, resize_image

MAX_BYTES = 9_300_000  # of all images of a page, such that a page is below 10 MB


@dataclass(frozen=True, slots=True)
class Quality:
    """How to encode images: the quality of WebP, 0 to 100, and the pixels on the longer side at most (0: any)."""

    webp: int
    side: int = 0


def webp_uri(pixels: Rgb, quality: Quality) -> str:
    """Return pixels (h, w, 3) as the data URI of a WebP image."""
    if quality.side and max(pixels.shape[:2]) > quality.side:
        pixels = resize_image(pixels, quality.side)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=quality.webp, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def encode_to_fit(
    groups: Mapping[str, Sequence[Rgb]], steps: Sequence[Mapping[str, Quality]], max_bytes: int = MAX_BYTES
) -> dict[str, list[str]]:
    """Encode groups of images.

    Parameters
    ----------
    groups : mapping from str to sequence of array (h, w, 3) uint8
        The images.
    steps : sequence of mapping from str to Quality
        The qualities of every group, from the best to the lowest.
    max_bytes : int
        The size that all images may have together. Those of the last step may be larger.

    Returns
    -------
    dict from str to list of str
        Data URIs.
    """
    encoded: dict[str, list[str]] = {}
    for number, qualities in enumerate(steps):
        last = number == len(steps) - 1
        if not last and _estimated_bytes(groups, qualities) > max_bytes:
            continue
        encoded = {name: [webp_uri(image, qualities[name]) for image in images] for name, images in groups.items()}
        if sum(len(uri) for uris in encoded.values() for uri in uris) <= max_bytes:
            break
    return encoded


def _estimated_bytes(groups: Mapping[str, Sequence[Rgb]], qualities: Mapping[str, Quality], samples: int = 24) -> float:
    """Return the size of all images, estimated from some of each group."""
    total = 0.0
    for name, images in groups.items():
        chosen = images[:: max(1, len(images) // samples)]
        total += sum(len(webp_uri(image, qualities[name])) for image in chosen) * len(images) / max(len(chosen), 1)
    return total
