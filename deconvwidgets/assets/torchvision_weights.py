"""Download of torchvision's weights into torchvision's cache, where its model builders find them.

Requests have timeouts, and a host that could not be reached is recorded for a day, so that later calls fail at once.
"""

from __future__ import annotations

import http.client
import json
import os
import queue
import re
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch

from deconvwidgets.assets.cache import cache_dir, sha256_of_bytes, sha256_of_file, write_cache_file
from deconvwidgets.assets.progress_bar import download_bar
from deconvwidgets.errors import AssetError

OFFLINE_VARIABLE = "DECONVWIDGETS_OFFLINE"
CONNECT_SECONDS = 5.0
_READ_SECONDS = 30.0
_RECORD_SECONDS = 24 * 3600.0
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
    if path.is_file() and sha256_of_file(path).startswith(hash_prefix(weights)):
        return path
    reason = unreachable_reason(weights.url)
    if reason is not None:
        raise AssetError(reason)
    data = _download(weights.url, path.name, progress)
    if not sha256_of_bytes(data).startswith(hash_prefix(weights)):
        raise AssetError(f"The file from {weights.url} does not match the hash in its name. Try again; a proxy may have sent another file.")
    write_cache_file(path, data)
    return path


def unreachable_reason(url: str) -> str | None:
    """Return why the host of a URL cannot be reached, or None if it responds.

    This takes 5 seconds at most, and sends no request if a failure of that host was recorded in the last 24 hours. With
    DECONVWIDGETS_OFFLINE=1 every host counts as unreachable; with DECONVWIDGETS_OFFLINE=0 records are ignored.
    """
    offline = os.environ.get(OFFLINE_VARIABLE)
    if offline not in (None, "", "0"):
        return f"{OFFLINE_VARIABLE} is set"
    host = urlsplit(url).netloc
    if offline != "0":
        recorded = _recorded_failure(host)
        if recorded is not None:
            return recorded
    reason = _probe(url)
    if reason is None:
        _record_path(host).unlink(missing_ok=True)
    else:
        _record_failure(host, reason)
    return reason


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
        _record_failure(host, reason)
        raise AssetError(reason) from error
    return b"".join(chunks)


def _probe(url: str) -> str | None:
    """Send a HEAD request in a thread: a name lookup may take much longer than any socket timeout."""
    reasons: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=lambda: reasons.put(_send_head(url)), daemon=True).start()
    try:
        return reasons.get(timeout=CONNECT_SECONDS + 0.5)
    except queue.Empty:
        return f"{urlsplit(url).netloc} did not respond within {CONNECT_SECONDS:g} seconds"


def _send_head(url: str) -> str | None:
    try:
        # urllib respects the user's proxy settings
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=CONNECT_SECONDS):
            return None
    except urllib.error.HTTPError as error:
        return f"{urlsplit(url).netloc} responded {error.code} {error.reason}"
    except (OSError, http.client.HTTPException) as error:  # DNS, refused connection, timeout, certificate, not HTTP
        reason = getattr(error, "reason", error)
        return f"{urlsplit(url).netloc} cannot be reached ({reason})"


def _record_path(host: str) -> Path:
    return cache_dir() / "unreachable" / f"{host.replace(':', '_')}.json"


def _record_failure(host: str, reason: str) -> None:
    write_cache_file(_record_path(host), json.dumps({"time": time.time(), "reason": reason}).encode())


def _recorded_failure(host: str) -> str | None:
    """Return the recorded reason, or None if there is no valid record of the last 24 hours."""
    try:
        record = json.loads(_record_path(host).read_bytes())
        age, reason = time.time() - float(record["time"]), str(record["reason"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):  # a damaged record is ignored
        return None
    if not 0 <= age < _RECORD_SECONDS:
        return None
    return f"{reason}; recorded within the last day, set {OFFLINE_VARIABLE}=0 to try again"
