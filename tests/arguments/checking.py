"""Calling with every hostile value of an argument: the result is that of the equal valid value, or a clear error.

An error is clear if it is one of ours, a TraitError, or a TypeError or ValueError that this package raises, and names the argument.
"""

from __future__ import annotations

import dataclasses
import re
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import traitlets
from PIL import Image
from torch import nn

import deconvwidgets as dw
from deconvwidgets.errors import DeconvWidgetsError
from deconvwidgets.images.image_set import ImageSet
from tests.arguments.hostile_values import REFUSED, SKIPPED, VALUES, Kind, choice, wholes
from tests.conftest import NoisePhotographs, make_tiny_bundle

PACKAGE = str(Path(dw.__file__).parent)
ALIASES = {  # what else may stand for an argument in a message
    "bundle": "ModelBundle",
    "at": "position is outside",
    "name": "no model|no layer",
    "names": "no class",
    "label": "no class",
    "where": "condition",
    "data": "index",
    "by": "order",
    "cells": "[Cc]ell",
    "checkpoints": "no file|source must be",
    "images_per_class": "to train",
    "images": "[Ii]mage|array|tensor|Cannot open|no such file",
    "image": "[Ii]mage|array|tensor|photograph|no such file",
    "dataset": "image set|Cannot open|path|folder|photograph|array|class",
    "layer": "layer",
    "layers": "layer|no unit to draw",
    "head": "[Hh]ead",
    "views": "crops",
    "target": "class",
    "against": "(is|has) no class",
    "what": "figure|image set|Cannot open|path|folder|photograph|array|image|data set",
    "architecture": "no model|returned|logits",
    "validation": "validation set|Cannot open|path|folder|photograph|array|image|data set",
    "state": "state",
    "service": "model service",
    "kind": "figure|file",
    "request": "request",
    "weights": "weights|checkpoint|file",
    "fill": "fill",
    "upload": "upload",
    "boxes": "box",
    "parts": "part",
    "rule": "rule",
    "muted": "[Uu]nit",
    "units": "[Uu]nit|no layer",
    "batch": "batch|image",
    "run": "[Rr]un",
    "before": "[Rr]un",
    "after": "[Rr]un|layer",
    "build": "no model",
    "source": "no file",
    "sources": "a source|photograph",
    "worker": "Executor",
    "seed": "seed",
    "path": "path|folder|file|saved?|name",
    "frozen": "frozen|file",
}


@dataclass
class Case:
    """A callable with valid arguments, and the kind of each argument to test."""

    call: Callable[..., Any]
    valid: Mapping[str, Any]
    kinds: Mapping[str, Kind]
    results: Callable[[Any], Any] = field(default=lambda result: result)  # the part of a result that is compared


def plain(value: Any) -> Any:
    """Return a value in a form that can be compared with ==."""
    if isinstance(value, torch.Tensor):
        return plain(value.detach().numpy())
    if isinstance(value, np.ndarray):
        return (value.shape, str(value.dtype), value.tobytes() if value.dtype != object else value.tolist())
    if dataclasses.is_dataclass(value) and not isinstance(value, type | nn.Module):
        return {item.name: plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, list | tuple) else value


def check(case: Case, name: str) -> None:
    """Call with every hostile value of one argument."""
    expected: dict[str, Any] = {}
    for label, value in VALUES.items():
        clean = case.kinds[name](value)
        if clean is SKIPPED:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if clean is REFUSED:
                with pytest.raises(Exception) as refusal:  # noqa: PT011 - `check_error` checks it
                    pytest.fail(f"{name}={label} was accepted: {case.call(**{**case.valid, name: value})!r}")
                check_error(refusal.value, name, label)
                continue
            result = case.call(**{**case.valid, name: value})
            if repr(clean) not in expected:
                expected[repr(clean)] = plain(case.results(case.call(**{**case.valid, name: clean})))
        assert plain(case.results(result)) == expected[repr(clean)], f"{name}={label} does not give the result of {clean!r}"


def check_error(error: Exception, name: str, label: str) -> None:
    message, where = str(error), traceback.extract_tb(error.__traceback__)[-1].filename
    ours = isinstance(error, DeconvWidgetsError | traitlets.TraitError) or (
        isinstance(error, TypeError | ValueError) and where.startswith(PACKAGE)
    )
    assert ours, f"{name}={label} raised {type(error).__name__}: {message} (in {where})"
    assert re.search(rf"\b{name}\b|{ALIASES.get(name, name)}", message), f"{name}={label}: the message names no {name}: {message}"


def noise(height: int = 16, width: int = 16) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


class Labelled(ImageSet):
    """Photographs of noise with two classes."""

    def __init__(self) -> None:
        super().__init__("labelled", "labelled", ["a", "b"])

    @property
    def source_count(self) -> int:
        return 16

    def source_name(self, source: int) -> str:
        return f"{source}.jpg"

    def label(self, source: int) -> int:
        return source % 2

    def open_source(self, source: int) -> Image.Image:
        return Image.fromarray(np.random.default_rng(source).integers(0, 256, (16, 16, 3), dtype=np.uint8))


BUNDLE = make_tiny_bundle()
PHOTOGRAPHS = NoisePhotographs(6)
LAYERS = choice("0", "1", "2", "3", "conv1", "conv2", "pool1")  # of the tiny network that hostile values may name
RULES = choice("deconvnet", "guided", "gradient")
PAIR = wholes((), (2,), low=1, high=16)
