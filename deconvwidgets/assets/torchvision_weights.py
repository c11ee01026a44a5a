"""torchvision's own weights, fetched with timeouts into torchvision's own cache, where its model builders find them."""

from __future__ import annotations

import http.client
import re
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch

from deconvwidgets.assets.cache import make_folder, sha256_of_bytes, sha256_of_file, write_cache_file
from deconvwidgets.assets.progress_bar import download_bar
from deconvwidgets.assets.reachability import remember_failure, unreachable_reason
from deconvwidgets.errors import AssetError

_READ_SECONDS = 30.0
_CHUNK = 1 << 18


def hub_path(weights: Any) -> Path:
    """Where torchvision looks for the file of a weights enum's member before it downloads it."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(weights.url).path).name


def hash_prefix(weights: Any) -> str:
    """The start of the file's sha256, which torchvision writes into its name (`alexnet-owt-7be5be79.pth`)."""
    found = re.search(r"-([0-9a-f]{8,})\.", Path(urlsplit(weights.url).path).name)
    return found.group(1) if found else ""


def ensure_official_file(weights: Any, progress: bool = True) -> Path:
    """The file of torchvision's weights, downloaded if need be and checked against the hash in its name.

    Raises AssetError, with the reason, where its host does not answer, or answers with other bytes.
    """
    path = hub_path(weights)
    if path.is_file() and sha256_of_file(path).startswith(hash_prefix(weights)):
        return path
    reason = unreachable_reason(weights.url)
    if reason is not None:
        raise AssetError(reason)
    data = _download(weights.url, path.name, progress)
    if not sha256_of_bytes(data).startswith(hash_prefix(weights)):
        raise AssetError(f"{weights.url} gave other bytes than its name promises. Try again; a proxy may have answered in its place.")
    make_folder(path.parent)
    write_cache_file(path, data)
    return path


def _download(url: str, name: str, progress: bool) -> bytes:
    pieces: list[bytes] = []
    arrived = 0
    try:
        with urllib.request.urlopen(url, timeout=_READ_SECONDS) as answer:
            total = int(answer.headers.get("Content-Length") or 0)
            with download_bar(name, total, progress) as advance:
                while piece := answer.read(_CHUNK):
                    pieces.append(piece)
                    arrived += len(piece)
                    advance(arrived)
    except (OSError, http.client.HTTPException) as error:
        reason = f"the download from {urlsplit(url).netloc} broke off ({error})"
        remember_failure(url, reason)
        raise AssetError(reason) from error
    return b"".join(pieces)
