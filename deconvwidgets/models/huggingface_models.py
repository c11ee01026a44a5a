"""Image classifiers of transformers, with their own transforms and class names: `load_model("hf:microsoft/resnet-50")`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import Any, cast

import torch
from PIL import Image
from torch import Tensor, nn

from deconvwidgets.errors import AssetError, ModelError
from deconvwidgets.models.bundle import ModelBundle
from deconvwidgets.models.checkpoints import fit_into, read_checkpoint
from deconvwidgets.models.libraries import (
    RANDOM_WEIGHTS,
    LibraryWeights,
    RgbTransform,
    hub_unreachable_reason,
    import_library,
    library_bundle,
)
from deconvwidgets.models.preprocess import FloorCropPreprocess, Preprocess, default_preprocess, is_equal
from deconvwidgets.models.selected_output import SelectedOutput
from deconvwidgets.models.transforms import Transform
from deconvwidgets.paths import as_path

_MAX_LISTED = 3
_PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")
_CONVNEXT_CROPS_BELOW = 384  # transformers' ConvNextImageProcessor resizes without cropping from this size on


def load_huggingface(name: str, weights: str | Path | None) -> ModelBundle:
    """Load an image classifier of transformers.

    Parameters
    ----------
    name : str
        The name of a repository on the Hugging Face Hub, or the path of a folder with `config.json`. No code in it is run.
    weights : str, path or None
        "default" for the weights in the repository or folder, the path of a checkpoint, or None for random weights, which are always the
        same.

    Returns
    -------
    ModelBundle
        The model, whose output is the logits. Its transform is a `Preprocess` if the image processor resizes the shorter side, crops the
        centre and normalises.

    Raises
    ------
    ModelError
        If transformers is not installed, the model is no image classifier, or the checkpoint does not fit.
    AssetError
        If the model cannot be downloaded.
    """
    transformers = import_library("transformers", "huggingface")
    source = _find(name)
    config = source.load(transformers.AutoConfig)
    if weights is None:
        model, description = _build_random(transformers, config), RANDOM_WEIGHTS
    elif weights == "default":
        model = _load_pretrained(transformers, source)
        description = LibraryWeights(source.description, _categories(config), f"{config.num_labels:,} classes")
    else:
        path = as_path(weights, "weights", ModelError)
        model = fit_into(lambda classes: _build_random(transformers, config), read_checkpoint(path), f"{name}'s config.json", path)
        description = LibraryWeights(f"checkpoint {path.name}", _categories(config), f"{config.num_labels:,} classes")
    transform, notes = _transform(transformers, source, config)
    description = replace(description, notes=(*description.notes, *notes))
    return library_bundle(f"hf:{source.name}", SelectedOutput(model.eval().float(), attrgetter("logits")), transform, description)


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a model is loaded from. `unreachable` says why only the cache is read, if the hub does not respond."""

    location: str
    name: str
    description: str
    is_folder: bool
    unreachable: str | None

    def load(self, loader: Any, **options: Any) -> Any:
        """Call `from_pretrained` of a class of transformers, without waiting for a hub that does not respond."""
        local = self.is_folder or self.unreachable is not None
        try:
            return loader.from_pretrained(self.location, local_files_only=local, **options)
        except (OSError, ValueError) as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> AssetError | ModelError:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        if self.is_folder:
            return ModelError(f"The folder {self.location} has no image classifier that transformers can load: {reason}")
        way_on = f"Run `hf download {self.location} --local-dir folder` on another machine and load 'hf:path/to/folder'."
        if self.unreachable is not None:
            return AssetError(f"{self.location} is not in the cache, and the Hugging Face Hub cannot be used: {self.unreachable}. {way_on}")
        return AssetError(f"{self.location} cannot be loaded from the Hugging Face Hub: {reason} Check its name. {way_on}")


def _find(name: str) -> _Source:
    folder = as_path(name or ".", "The name of a model", ModelError)
    if name and folder.is_dir():
        return _Source(str(folder), folder.resolve().name, f"folder {folder.resolve().name}", True, None)
    if not name or name.startswith((".", "/", "~")):
        raise ModelError(f"There is no folder {name!r}. Give the name of a repository, such as 'hf:microsoft/resnet-50', or a folder.")
    return _Source(name, name, f"{name} from the Hugging Face Hub", False, hub_unreachable_reason())


def _build_random(transformers: Any, config: Any) -> nn.Module:
    """Return a model with random weights, which are always the same. torch's global generator is not changed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        try:
            return cast(nn.Module, transformers.AutoModelForImageClassification.from_config(config))
        except ValueError as error:
            raise _not_a_classifier(config) from error


def _load_pretrained(transformers: Any, source: _Source) -> nn.Module:
    model, report = source.load(transformers.AutoModelForImageClassification, output_loading_info=True)
    missing = sorted(report["missing_keys"])
    if missing:  # transformers initialises them at random, with a warning
        listed = ", ".join(missing[:_MAX_LISTED]) + (", ..." if len(missing) > _MAX_LISTED else "")
        raise ModelError(
            f"{source.location} has no weights of {listed}: it was not trained as an image classifier. Choose a model with a classifier, "
            "or load it yourself and use ModelBundle.from_module(net, ...)."
        )
    return cast(nn.Module, model)


def _not_a_classifier(config: Any) -> ModelError:
    return ModelError(f"transformers has no image classifier of the kind {config.model_type!r}. Choose a model for image classification.")


def _categories(config: Any) -> tuple[str, ...] | None:
    """Return the names of the classes; None if the config has only transformers' placeholders."""
    names = tuple(str(config.id2label[number]) for number in range(config.num_labels))
    return None if names == tuple(f"LABEL_{number}" for number in range(config.num_labels)) else names


@dataclass(frozen=True, slots=True)
class _ProcessorTransform:
    """An image processor of transformers as a transform of one image."""

    processor: Any

    def __call__(self, image: Image.Image) -> Tensor:
        pixels: Tensor = self.processor(images=image, return_tensors="pt")["pixel_values"][0]
        return pixels


def _transform(transformers: Any, source: _Source, config: Any) -> tuple[Transform, tuple[str, ...]]:
    if source.is_folder and not any((Path(source.location) / name).is_file() for name in _PROCESSOR_FILES):
        side = config.image_size if isinstance(getattr(config, "image_size", None), int) else 224
        note = (
            f"{source.location} has no image processor: images are resized and cropped to {side} x {side} and normalised as for ImageNet."
        )
        return default_preprocess((3, side, side)), (note,)
    processor = source.load(transformers.AutoImageProcessor, **_pillow_backend(transformers))
    transform = RgbTransform(_ProcessorTransform(processor))
    known = _as_preprocess(processor)
    return (known if known is not None and is_equal(known, transform) else transform), ()


def _pillow_backend(transformers: Any) -> dict[str, Any]:
    """Return the options for processors that resize by Pillow, as `Preprocess` does; others differ by rounding."""
    return {"backend": "pil"} if int(transformers.__version__.split(".")[0]) >= 5 else {"use_fast": False}


def _as_preprocess(processor: Any) -> Preprocess | None:
    """Return a `Preprocess` that may be equal to the processor; None if it resizes to a fixed size, which distorts the image."""
    size, crop = dict(processor.size), dict(getattr(processor, "crop_size", None) or {})
    resize = size.get("shortest_edge")
    crop_pct = getattr(processor, "crop_pct", None)
    if crop_pct is not None and resize is not None and resize < _CONVNEXT_CROPS_BELOW:
        crop, resize = {"height": resize, "width": resize}, int(resize / crop_pct)
    if resize is None or not crop or resize < max(crop.values()):
        return None
    return FloorCropPreprocess(
        resize=resize,
        crop=(crop["height"], crop["width"]),
        mean=tuple(processor.image_mean),
        std=tuple(processor.image_std),
        interpolation=Image.Resampling(int(processor.resample)),
    )
