"""Occluding images in a running service: what an OcclusionExplorer asks (`service.protocol.OcclusionDesk`)."""

from __future__ import annotations

from deconvwidgets.service.occlusion.desk import LocalOcclusionDesk

__all__ = ["LocalOcclusionDesk"]
