"""Recognises torchvision's usual transforms, so that their geometry is known and boxes can be drawn on the photograph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from deconvwidgets.models.preprocess import Preprocess

# Awkward on purpose: odd sides, one of each orientation
_PROBE_SIZES = ((301, 405), (333, 250))


def as_preprocess(transform: object) -> Preprocess | None:
    """The same transform as a `Preprocess`; None where it is not one, or not for sure, and so stays opaque.

    Known are `Preprocess` itself, torchvision's `ImageClassification` presets, and `Compose` of Resize, CenterCrop,
    ToTensor (or its parts) and Normalize. A guess about anything else than a preset is only
    believed if it gives the same tensors on noise.
    """
    if isinstance(transform, Preprocess) or transform is None:
        return transform
    if not callable(transform):
        return None
    if hasattr(transform, "crop_size"):
        guess = _from_preset(transform)
        if type(transform).__module__ == "torchvision.transforms._presets":  # tested to be equal; do not delay each load_model
            return guess
    else:
        guess = _from_compose(transform)
    return guess if guess is not None and _same(guess, transform) else None


def _from_preset(preset: Any) -> Preprocess | None:
    if not all(hasattr(preset, name) for name in ("resize_size", "crop_size", "mean", "std", "interpolation")):
        return None
    return _assemble(preset.resize_size, preset.crop_size, preset.mean, preset.std, preset.interpolation)


def _from_compose(compose: Any) -> Preprocess | None:
    steps = {type(step).__name__: step for step in getattr(compose, "transforms", ())}
    resize, crop, normalize = steps.get("Resize"), steps.get("CenterCrop"), steps.get("Normalize")
    if crop is None:
        return None
    mean, std = (normalize.mean, normalize.std) if normalize is not None else ((0.0,) * 3, (1.0,) * 3)
    interpolation = getattr(resize, "interpolation", None)
    return _assemble(resize.size if resize is not None else None, crop.size, mean, std, interpolation)


def _assemble(resize: Any, crop: Any, mean: Any, std: Any, interpolation: Any) -> Preprocess | None:
    resizes, crops = _integers(resize), _integers(crop)
    method = str(getattr(interpolation, "value", "bilinear")).upper()
    if len(resizes) > 1 or not 1 <= len(crops) <= 2 or method not in Image.Resampling.__members__:
        return None
    return Preprocess(
        resize=resizes[0] if resizes else None,
        crop=(crops[0], crops[-1]),
        mean=_floats(mean),
        std=_floats(std),
        interpolation=Image.Resampling[method],
    )


def _integers(value: Any) -> list[int]:
    if value is None:
        return []
    return [int(entry) for entry in value] if isinstance(value, Sequence) else [int(value)]


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in (values if isinstance(values, Sequence | Tensor | np.ndarray) else [values]))


def _same(guess: Preprocess, transform: Any) -> bool:
    noise = np.random.default_rng(0)
    for width, height in _PROBE_SIZES:
        picture = Image.fromarray(noise.integers(0, 256, (height, width, 3), dtype=np.uint8))
        try:
            expected = transform(picture)
        except (TypeError, ValueError, RuntimeError):  # a transform that wants other inputs: not one we know
            return False
        got = guess(picture)
        if not isinstance(expected, Tensor) or expected.shape != got.shape or not torch.allclose(expected.to(got), got, atol=1e-5):
            return False
    return True
