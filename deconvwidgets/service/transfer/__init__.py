"""Retraining the classifier in a running service: what a TransferPanel asks (`service.protocol.TransferDesk`)."""

from __future__ import annotations

from deconvwidgets.service.transfer.desk import LocalTransferDesk

__all__ = ["LocalTransferDesk"]
