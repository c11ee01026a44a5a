"""torchvision's own weights, fetched with timeouts into torchvision's own cache, where its model builders find them."""

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

from deconvwidgets.assets.cache import cache_dir, make_folder, sha256_of_bytes, sha256_of_file, write_cache_file
from deconvwidgets.assets.progress_bar import download_bar
from deconvwidgets.errors import AssetError

OFFLINE_VARIABLE = "DECONVWIDGETS_OFFLINE"
CONNECT_SECONDS = 5.0
_REMEMBERED_SECONDS = 24 * 3600.0


def unreachable_reason(url: str) -> str | None:
    """Why nothing can be fetched from this address, in words; None where its host answers.

    Waits for 5 seconds at the most, and only where no failure of that host is on record for the last 24 hours (in the
    cache folder). DECONVWIDGETS_OFFLINE=1 says "closed" without asking, DECONVWIDGETS_OFFLINE=0 asks in any case.
    """
    offline = os.environ.get(OFFLINE_VARIABLE)
    if offline not in (None, "", "0"):
        return f"{OFFLINE_VARIABLE} is set"
    host = urlsplit(url).netloc
    if offline != "0":
        remembered = _remembered(host)
        if remembered is not None:
            return remembered
    reason = _ask(url)
    if reason is None:
        _record_path(host).unlink(missing_ok=True)
    else:
        _remember(host, reason)
    return reason


def remember_failure(url: str, reason: str) -> None:
    """Put on record that a fetch failed although the host had answered."""
    _remember(urlsplit(url).netloc, reason)


def _ask(url: str) -> str | None:
    """Ask in a thread of its own: looking up a name may take far longer than any socket timeout."""
    answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=lambda: answers.put(_head(url)), daemon=True).start()
    try:
        return answers.get(timeout=CONNECT_SECONDS + 0.5)
    except queue.Empty:
        return f"{urlsplit(url).netloc} did not answer within {CONNECT_SECONDS:g} seconds"


def _head(url: str) -> str | None:
    try:
        # through urllib, so that the user's proxy settings count
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=CONNECT_SECONDS):
            return None
    except urllib.error.HTTPError as error:
        return f"{urlsplit(url).netloc} answered {error.code} {error.reason}"
    except (OSError, http.client.HTTPException) as error:  # names that do not resolve, refusals, timeouts, certificates, no HTTP
        reason = getattr(error, "reason", error)
        return f"{urlsplit(url).netloc} cannot be reached ({reason})"


def _record_path(host: str) -> Path:
    return cache_dir() / "unreachable" / f"{host.replace(':', '_')}.json"


def _remember(host: str, reason: str) -> None:
    write_cache_file(_record_path(host), json.dumps({"time": time.time(), "reason": reason}).encode())


def _remembered(host: str) -> str | None:
    path = _record_path(host)
    try:
        record = json.loads(path.read_bytes())
        age, reason = time.time() - float(record["time"]), str(record["reason"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):  # a damaged record is worth as much as none
        return None
    if not 0 <= age < _REMEMBERED_SECONDS:
        return None
    return f"{reason}; remembered for a day, set {OFFLINE_VARIABLE}=0 to ask again"


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
