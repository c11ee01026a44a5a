"""The WordNet IDs of ImageNet's 1,000 classes, which name the folders of the data set: n01440764 is class 0."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from deconvwidgets.models.architectures import imagenet_categories

CLASSES = 1000
_FILE = Path(__file__).with_suffix(".txt")
_SAME_NAMES = 0.9  # of a model's names, if its classes are ImageNet's: libraries spell some of them in other ways
_SYNSET = re.compile(r"(?<![0-9a-z])n\d{8}(?!\d)")


def imagenet_synsets() -> tuple[str, ...]:
    """Return the WordNet 3.0 IDs of the classes of ILSVRC 2012, in their order, which is that of the IDs. timm lists them as well."""
    return tuple(_FILE.read_text(encoding="ascii").split())


def synset_in(name: str) -> str | None:
    """Return the WordNet ID in a name, such as that of the folder "n02123045" or "n02085620-Chihuahua"; None if it has none."""
    found = _SYNSET.search(name)
    return found.group() if found is not None else None


def is_imagenet(categories: Sequence[str]) -> bool:
    """Return whether the names of a model's classes are ImageNet's, in their order, each as one of comma-separated synonyms."""
    if len(categories) != CLASSES:
        return False
    same = sum(known.lower() in name.lower().split(", ") for known, name in zip(imagenet_categories(), categories, strict=True))
    return same >= _SAME_NAMES * CLASSES
