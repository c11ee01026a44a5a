"""The options of `deconvwidgets freeze` and `check` that choose a model and images."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from deconvwidgets.cli_options import UsageError, names_of_layers, whole_number
from deconvwidgets.cli_prepare import print_images, print_model, require_device, require_model
from deconvwidgets.errors import DeconvWidgetsError
from deconvwidgets.paths import as_path

if TYPE_CHECKING:
    from deconvwidgets.images.image_set import ImageSet
    from deconvwidgets.models.bundle import ModelBundle

_DEFAULT_MODEL = "alexnet"  # as of the other commands


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add --weights, --build, --limit and --layers, besides --model, --images and --device."""
    add = parser.add_argument
    add("--weights", metavar="FILE", help="a checkpoint (.pth, .pt, .safetensors) for --model or for what --build returns")
    add(
        "--build",
        metavar="MODULE:FUNCTION",
        help="build the model with a function of your own instead of --model: it takes no arguments and returns a ModelBundle, an "
        "nn.Module or an ExportedProgram. This imports the module (or FILE.py) from the current folder and runs its code",
    )
    add("--limit", type=whole_number(1), metavar="N", help="only N evenly spaced photographs of --images")
    add("--layers", type=names_of_layers, nargs="+", metavar="NAMES", help="the layers, as in conv1,conv5 or layer3 layer4")
    add("--quiet", action="store_true", help="show no progress bars")
    parser.set_defaults(model=None)  # so that --model beside --build is seen


def chosen_layers(options: argparse.Namespace) -> list[str] | None:
    """Return the layers that were named; None if none were."""
    return None if options.layers is None else [name for names in options.layers for name in names]


def load_model_and_images(options: argparse.Namespace) -> tuple[ModelBundle, ImageSet]:
    """Load the model and open the images, and print what they are."""
    from deconvwidgets.images.open import open_images

    if options.build is not None and options.model is not None:
        raise UsageError(f"--build builds the model, and --model {options.model} names another one: give either.")
    require_device(options.device)
    bundle = _build(options) if options.build is not None else _load(options)
    print_model(bundle)
    images = open_images(options.images, limit=options.limit, progress=not options.quiet)
    print_images(images)
    return bundle, images


def _load(options: argparse.Namespace) -> ModelBundle:
    from deconvwidgets.models.zoo import load_model

    name = options.model or _DEFAULT_MODEL
    require_model(name)
    if ":" in name and name.partition(":")[0] not in ("timm", "hf"):
        raise UsageError(f"There is no model {name!r}. To build one with a function of your own, use --build {name}")
    weights = "default" if options.weights is None else as_path(options.weights, "--weights", DeconvWidgetsError)
    return load_model(name, weights, progress=not options.quiet)


def _build(options: argparse.Namespace) -> ModelBundle:
    from deconvwidgets.models.build_hook import build_model

    print(f"Running {options.build} ...", flush=True)
    return build_model(options.build, options.weights)
