"""Download of torchvision's weights into torchvision's cache, where its model builders find them."""

from __future__ import annotations

import http.client
import re
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch

from deconvwidgets.assets.cache import is_cached, sha256_of_bytes, sha256_of_file, write_cache_file
from deconvwidgets.assets.progress_bar import download_bar
from deconvwidgets.assets.reachability import recent_failures, unreachable_reason
from deconvwidgets.errors import AssetError

_READ_SECONDS = 30.0
_CHUNK = 1 << 18


def hub_path(weights: Any) -> Path:
    """Return the path in torch.hub's folder where torchvision stores a member of a weights enum."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(weights.url).path).name


def hash_prefix(weights: Any) -> str:
    """Return the start of the file's SHA-256, which is part of its name (`alexnet-owt-7be5be79.pth`); "" if there is none."""
    match = re.search(r"-([0-9a-f]{8,})\.", Path(urlsplit(weights.url).path).name)
    return match.group(1) if match else ""


def ensure_official_file(weights: Any, progress: bool = True) -> Path:
    """Download the file of torchvision's weights unless it exists, and verify it against the hash in its name.

    Parameters
    ----------
    weights : torchvision.models.WeightsEnum
        The weights.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    pathlib.Path
        The file, in torch.hub's folder.

    Raises
    ------
    AssetError
        If the host cannot be reached, the download fails, or the hash does not match.
    """
    path = hub_path(weights)
    if is_cached(path) and sha256_of_file(path).startswith(hash_prefix(weights)):
        return path
    reason = unreachable_reason(weights.url)
    if reason is not None:
        raise AssetError(reason)
    data = _download(weights.url, path.name, progress)
    if not sha256_of_bytes(data).startswith(hash_prefix(weights)):
        raise AssetError(f"The file from {weights.url} does not match the hash in its name. Try again; a proxy may have sent another file.")
    write_cache_file(path, data)
    return path


def _download(url: str, name: str, progress: bool) -> bytes:
    chunks: list[bytes] = []
    received = 0
    host = urlsplit(url).netloc
    try:
        with urllib.request.urlopen(url, timeout=_READ_SECONDS) as response:
            total = int(response.headers.get("Content-Length") or 0)
            with download_bar(name, total, progress) as report:
                while chunk := response.read(_CHUNK):
                    chunks.append(chunk)
                    received += len(chunk)
                    report(received)
        if received < total:  # http.client reports no error if the connection is closed early
            raise ConnectionError(f"{received:,} of {total:,} bytes were received")
    except (OSError, http.client.HTTPException) as error:
        reason = f"the download from {host} failed ({error})"
        recent_failures.record(host, reason)
        raise AssetError(reason) from error
    return b"".join(chunks)
