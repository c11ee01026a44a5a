"""Files that a page downloads."""

from __future__ import annotations

_MIME_TYPES = {
    "csv": "text/csv",
    "png": "image/png",
    "svg": "image/svg+xml",
    "pdf": "application/pdf",
    "html": "text/html",
    "json": "application/json",
}


def mime_type(name: str) -> str:
    """Return the media type of a file by its suffix: "image/png" of "results.png"."""
    return _MIME_TYPES.get(name.rpartition(".")[2], "application/octet-stream")
