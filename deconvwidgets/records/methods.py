"""How a result was computed."""

from __future__ import annotations

from typing import Literal

OcclusionMethod = Literal["incremental", "full"]
