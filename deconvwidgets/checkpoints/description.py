"""The description of a training in its folder: training.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from deconvwidgets.atomic_file import way_on, write_atomic
from deconvwidgets.errors import CheckpointError, DeconvWidgetsError
from deconvwidgets.models.preprocess import FloorCropPreprocess, Preprocess
from deconvwidgets.strict_json import StrictJsonError, read_json

DESCRIPTION_FILE = "training.json"
_FORMAT = "deconvwidgets training 1"
_TEXTS = ("name", "architecture", "other_transform", "image_set", "image_digest")
_TRANSFORMS: dict[str, type[Preprocess]] = {"preprocess": Preprocess, "floor_crop": FloorCropPreprocess}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingDescription:
    """What the checkpoints of a folder are of.

    Attributes
    ----------
    name : str or None
        The name of the model.
    architecture : str or None
        A name of `load_model`, from which the model can be built; None for a model of one's own.
    pretrained : bool
        Whether the weights at epoch 0 are trained, as in fine-tuning. Otherwise they are random.
    categories : tuple of str or None
        The names of the classes.
    input_size : tuple of (int, int, int) or None
        (channels, height, width).
    transform : Preprocess or None
        How images are prepared for the model; None if it is another transform, or was not given.
    other_transform : str or None
        A description of another transform, which cannot be stored.
    image_set, image_digest : str or None
        The name and the digest of the images that the model is trained on.
    recipe : mapping
        The settings of the training, as plain values.
    """

    name: str | None = None
    architecture: str | None = None
    pretrained: bool = False
    categories: tuple[str, ...] | None = None
    input_size: tuple[int, int, int] | None = None
    transform: Preprocess | None = None
    other_transform: str | None = None
    image_set: str | None = None
    image_digest: str | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)


def write_description(folder: Path, description: TrainingDescription) -> None:
    """Write the description of a folder, atomically.

    Raises
    ------
    CheckpointError
        If it cannot be written, or the recipe has other values than strings, finite numbers, bools, None, and lists and mappings of them.
    """
    plain = {name: getattr(description, name) for name in description.__dataclass_fields__}
    plain |= {"transform": _transform_to_plain(description.transform), "recipe": dict(description.recipe), "format": _FORMAT}
    path = folder / DESCRIPTION_FILE
    try:
        data = json.dumps(plain, ensure_ascii=False, allow_nan=False, indent=2).encode()
        write_atomic(path, data)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"The recipe of a training must consist of plain values ({error}).") from error
    except OSError as error:
        way = way_on(error, "Choose a folder with write permission")
        raise CheckpointError(f"{path} cannot be written ({error.strerror}). {way}.") from error


def read_description(folder: Path) -> TrainingDescription | None:
    """Return the description of a folder; None if it has none.

    Raises
    ------
    CheckpointError
        If the file is damaged, of a later version, or of something else.
    """
    path = folder / DESCRIPTION_FILE
    try:
        plain = read_json(path)
    except FileNotFoundError:
        return None
    except (OSError, StrictJsonError) as error:
        raise CheckpointError(f"{path} is damaged ({error}). Copy the folder again.") from error
    found = plain.get("format") if isinstance(plain, dict) else None
    if found != _FORMAT:
        raise CheckpointError(f"{path} is no description of a training of this version (its format is {found!r}): update deconvwidgets.")
    try:
        return _from_plain(plain)
    except (TypeError, ValueError, KeyError, DeconvWidgetsError) as error:
        raise CheckpointError(f"{path} is damaged ({error}). Copy the folder again.") from error


def _from_plain(plain: Mapping[str, Any]) -> TrainingDescription:
    texts = {name: plain.get(name) for name in _TEXTS}
    wrong = next((name for name, value in texts.items() if not isinstance(value, str | None)), None)
    if wrong is not None:
        raise ValueError(f"{wrong} is {texts[wrong]!r}")
    categories, size, recipe, pretrained = (plain.get(name) for name in ("categories", "input_size", "recipe", "pretrained"))
    if categories is not None and not (isinstance(categories, list) and all(isinstance(entry, str) for entry in categories)):
        raise ValueError("categories are no list of strings")
    if size is not None and not (isinstance(size, list) and len(size) == 3 and all(isinstance(n, int) and n > 0 for n in size)):
        raise ValueError(f"input_size is {size!r}")
    if not isinstance(recipe, dict) or not isinstance(pretrained, bool):
        raise ValueError("recipe or pretrained is missing")
    return TrainingDescription(
        categories=None if categories is None else tuple(categories),
        input_size=None if size is None else (size[0], size[1], size[2]),
        transform=_transform_from_plain(plain.get("transform")),
        recipe=recipe,
        pretrained=pretrained,
        **texts,
    )


def _transform_to_plain(transform: Preprocess | None) -> dict[str, Any] | None:
    if transform is None:
        return None
    return {
        "kind": next(kind for kind, known in _TRANSFORMS.items() if type(transform) is known),
        "resize": transform.resize,
        "crop": list(transform.crop),
        "mean": list(transform.mean),
        "std": list(transform.std),
        "interpolation": transform.interpolation.name.lower(),
    }


def _transform_from_plain(plain: Any) -> Preprocess | None:
    if plain is None:
        return None
    resize, crop = plain["resize"], plain["crop"]
    return _TRANSFORMS[plain["kind"]](
        resize=None if resize is None else int(resize),
        crop=(int(crop[0]), int(crop[1])),
        mean=tuple(float(value) for value in plain["mean"]),
        std=tuple(float(value) for value in plain["std"]),
        interpolation=Image.Resampling[plain["interpolation"].upper()],
    )
