"""The requests of an AblationPanel's front end."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from deconvwidgets.instruments.ablation.records import AblationStatus
from deconvwidgets.instruments.ablation.service.protocol import AblationService
from deconvwidgets.widgets.messages import Content, Handlers, Reply, Request
from deconvwidgets.widgets.run_handlers import run_handlers

_DIGITS = 5  # of numbers that are drawn


def status_content(status: AblationStatus) -> Content:
    """Return a status for a message, with few digits: a study may have many runs of many epochs."""
    short: Content = _short(asdict(status))
    return short


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, dict):
        return {name: _short(part) for name, part in value.items()}
    return [_short(part) for part in value] if isinstance(value, list | tuple) else value


def _start(service: AblationService, request: Request) -> Reply:
    chosen = request.get("variants")
    if chosen is not None and not (isinstance(chosen, list) and all(isinstance(name, str) for name in chosen)):
        raise request.invalid("variants", "a list of names, or null")
    service.start(chosen)
    return {}, []


HANDLERS: Handlers = run_handlers(status_content, _start)
