"""Lines of Python that train the network as it is and the arms alike, as an ablation study. They run as they are, unless the note says
what has to be filled in."""

from __future__ import annotations

import re
from collections.abc import Sequence

from deconvwidgets.errors import HeadError
from deconvwidgets.images.empty_classes import without_empty_classes
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.images.labels import class_names
from deconvwidgets.instruments.diagnosis.panel_records import AblationCode
from deconvwidgets.instruments.diagnosis.service.runs import ArmRun
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.preprocess import Preprocess, default_preprocess

_NOTE = "Trains the network as it is and each arm alike, with 3 seeds, and compares their errors."
_RECIPE = "seeds=3, epochs=5, learning_rate=1e-3"
_MAX_NAME = 80  # of a variant, which is the name of a folder


def ablation_code(arms: Sequence[ArmRun], host: str) -> AblationCode | None:
    """Return the code that compares the arms, the network as it is first; None without others.

    Parameters
    ----------
    arms : sequence of ArmRun
    host : str
        The name of the service's machine, if it is another one than the notebook's.
    """
    if len(arms) < 2:
        return None
    base = arms[0]
    refusal = _refusal(base.bundle)
    if refusal:
        return AblationCode(refusal, "")
    bundle, images, note = "service.bundle  # service: the LocalModelService of this panel", "service.images", _NOTE
    if host:
        bundle, images = f"...  # the bundle of the service on {host}", "...  # its labelled photographs"
        note = f"Fill in the bundle and the photographs, and run it on {host}, where they are."
    elif not _has_classes_of(base.bundle, base.images):
        images = "...  # labelled photographs of the classes that it predicts"
        note = (
            f"Fill in labelled photographs of the classes that {base.bundle.name} predicts: those of {base.images.name} have other labels, "
            "or none. Or give it a softmax head for them first, with service.set_head, and try the surgery again."
        )
    names = variant_names([arm.label for arm in arms])
    by_number = {arm.number: name for arm, name in zip(arms, names, strict=True)}
    lines = [
        "import deconvwidgets as dw",
        "",
        f"bundle = {bundle}",
        f"images = {images}",
        f"variants = {{{names[0]!r}: bundle}}",
        *(_variant(arm, by_number) for arm in arms[1:]),
        "study = dw.run_ablation(",
        f"    variants, images, out={'runs/' + _folder(base.bundle.name)!r}, {_RECIPE}",
        ")",
        "dw.AblationPanel(study)",
    ]
    return AblationCode(note, "\n".join(lines))


def variant_names(labels: Sequence[str]) -> list[str]:
    """Return labels as names of variants: without characters that names of folders cannot have, not too long, and each of them once."""
    names: list[str] = []
    for label in labels:
        plain = re.sub(r"[^\w+.,=() -]", "_", label)[:_MAX_NAME].strip(" .") or "arm"
        name, number = plain, 2
        while name.casefold() in {known.casefold() for known in names}:
            name, number = f"{plain[: _MAX_NAME - 6].rstrip(' .')} ({number})", number + 1
        names.append(name)
    return names


def _variant(arm: ArmRun, names: dict[int, str]) -> str:
    """Return the line that makes an arm of the one that it was made of."""
    step = arm.bundle.surgery[-1]
    arguments = "".join(f", {name}={value!r}" for name, value in step.arguments.items())
    return f"variants[{names[arm.number]!r}] = dw.surgery.{step.operation}(variants[{names[arm.parent or 0]!r}]{arguments})"


def _folder(name: str) -> str:
    return re.sub(r"[^\w-]+", "_", name).strip("_") + "-surgery"


def _refusal(bundle: ModelBundle) -> str:
    """Return why `dw.run_ablation` cannot train a network further; empty if it can."""
    if bundle.task != "softmax":
        return (
            f"{bundle.name} does not predict one class by a softmax, so an ablation study cannot train it further: give it a softmax head."
        )
    usual, own = default_preprocess(bundle.input_size), bundle.transform
    if not isinstance(own, Preprocess) or (own.mean, own.std) != (usual.mean, usual.std):
        return f"The inputs of {bundle.name} are not normalised as dw.train does, so an ablation study cannot train it further."
    return ""


def _has_classes_of(bundle: ModelBundle, images: ImageSet) -> bool:
    """Return whether the labels of photographs are a network's classes, in their order."""
    try:
        names = class_names(without_empty_classes(images))
    except HeadError:  # no photograph has a label
        return False
    return len(names) > 1 and bundle.categories in (None, names)
