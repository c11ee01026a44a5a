"""The command `deconvwidgets freeze`."""

from __future__ import annotations

import argparse
from pathlib import Path

from deconvwidgets.cli_model_options import add_model_options, chosen_layers, load_model_and_images
from deconvwidgets.cli_options import refused_as_usage, whole_number
from deconvwidgets.errors import LayerError

SUMMARY = "write what each unit of a model looks for to a file, for unit regression tests"
_DESCRIPTION = f"""{SUMMARY.capitalize()}.

The file is for "deconvwidgets check", which compares a later model with it. It has each unit's strongest activations with their
photographs and positions, statistics, the activations in a sample of crops, and small pictures and descriptors of its projections: some
3 KB per unit. Neither the weights nor the pixels of the photographs are in it."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to its parser."""
    parser.description = _DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_model_options(parser)
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="FILE", help="the file to write, such as units.json")
    add("--k", type=whole_number(1, 100), default=9, metavar="N", help="strongest activations kept of each unit (default: 9)")
    add("--samples", type=whole_number(2, 65536), default=512, metavar="N", help="crops whose activations are kept (default: 512)")
    add("--projections", type=whole_number(0, 9), default=3, metavar="N", help="activations of each unit to project (default: 3)")
    add("--seed", type=whole_number(0), default=0, help="the seed of the choice of samples (default: 0)")
    add("--overwrite", action="store_true", help="replace FILE if it exists")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Freeze the units and return the exit code."""
    from deconvwidgets.instruments.comparison.compute.freeze import freeze
    from deconvwidgets.instruments.comparison.compute.frozen_file import target_file

    target_file(options.out, options.overwrite)  # before anything is loaded
    bundle, images = load_model_and_images(options)
    with refused_as_usage(LayerError):
        frozen = freeze(
            bundle, images, options.out, chosen_layers(options), k=options.k, samples=options.samples, projections=options.projections,
            seed=options.seed, overwrite=options.overwrite, device=options.device, progress=not options.quiet,
        )  # fmt: skip
    names = ", ".join(layer.info.short_name for layer in frozen.layers)
    print(f"{options.out} ({options.out.stat().st_size / 1e6:.1f} MB): {frozen.units:,} units of {names}")
    return 0
