"""The command `deconvwidgets index`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from deconvwidgets.cli_options import auto_or, names_of_layers, refused_as_usage, whole_number
from deconvwidgets.cli_prepare import load_inputs, print_skipped
from deconvwidgets.errors import ActivationIndexError, DeconvWidgetsError, JobCancelledError, LayerError
from deconvwidgets.paths import as_path

if TYPE_CHECKING:
    from deconvwidgets.index.activation_index import ActivationIndex
    from deconvwidgets.records.images import SkippedImage

SUMMARY = "find the top activations of every unit and save them"
_SETTINGS = ("k", "batch_size", "workers", "precision", "scaled_jpeg", "decoded_cache")  # options that are fields of IndexOptions
_DESCRIPTION = f"""{SUMMARY.capitalize()}.

The index is one file. While it is built, what was computed so far is written to FILE.partial every few seconds. If the command is
interrupted, by Ctrl-C, SIGTERM or a crash, the same command goes on from there, and the finished file is the same to the byte."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to its parser."""
    parser.description = _DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--out", type=Path, metavar="FILE", help="the file of the index (default: one in the cache folder, where the explorers find it)")
    add(
        "--layers",
        type=names_of_layers,
        nargs="+",
        metavar="NAMES",
        help="the layers, as in conv1,conv5 or layer3 layer4 (default: the feature maps of all convolutions)",
    )
    add(
        "--k",
        type=whole_number(1),
        metavar="N",
        help="how many top activations to keep of each unit (default: 36, which the explorers show)",
    )
    add(
        "--batch-size", type=auto_or(1), default="auto", metavar="N", help="images in a batch; it does not change the index (default: auto)"
    )
    add("--workers", type=auto_or(0), default="auto", metavar="N", help="processes that decode images; 0 for none (default: auto)")
    add("--precision", choices=["fp32", "tf32", "bf16"], default="fp32", help="the arithmetic of the model (default: fp32)")
    add("--scaled-jpeg", action="store_true", help="decode large JPEG files at a fraction of their size: faster, with other pixels")
    add("--decoded-cache", type=Path, metavar="FOLDER", help="keep the decoded images there, so that a next pass need not decode them")
    add("--ray", nargs="?", const="auto", metavar="ADDRESS", help="build on a Ray cluster, by default the one of this machine")
    add("--resume", action="store_true", default=True, help="go on from FILE or FILE.partial, if they are there and fit (the default)")
    add("--no-resume", dest="resume", action="store_false", help="start again; it needs --overwrite if FILE or FILE.partial is there")
    add("--overwrite", action="store_true", help="replace files at FILE and FILE.partial that do not fit, are damaged or something else")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Build the index, or go on building it, and return the exit code."""
    from deconvwidgets.compute.job import JobContext
    from deconvwidgets.index.activation_index import ActivationIndex, layers_to_index
    from deconvwidgets.index.cached import EXPLORER_OPTIONS, index_path
    from deconvwidgets.index.commits import partial_path
    from deconvwidgets.index.identity import IndexIdentity
    from deconvwidgets.index.options import IndexOptions
    from deconvwidgets.models.devices import on_device

    path = None if options.out is None else as_path(options.out, "--out", DeconvWidgetsError)
    with refused_as_usage(ActivationIndexError):
        given = {name: getattr(options, name) for name in _SETTINGS if getattr(options, name) is not None}
        settings = IndexOptions.of(EXPLORER_OPTIONS, **given)
    bundle, images = load_inputs(options)
    bundle = on_device(bundle, options.device)
    with refused_as_usage(LayerError):
        layers = layers_to_index(bundle, None if options.layers is None else [name for names in options.layers for name in names])
    path = path or index_path(IndexIdentity.of(bundle, images, layers, settings))
    engine: dict[str, Any] = {} if options.ray is None else {"engine": "ray", "ray_address": options.ray}
    with _stopped_by_signals() as received:
        try:
            index = ActivationIndex.build(
                bundle,
                images,
                [info.name for info in layers],
                settings,
                path=path,
                resume=options.resume,
                overwrite=options.overwrite,
                device=options.device,
                job=JobContext(cancelled=lambda: bool(received)),
                **engine,
            )
        except JobCancelledError as error:
            _print_way_on(error, partial_path(path), options)
            return 128 + received[0]
    _print_summary(index, path, images.skipped)
    return 0


@contextmanager
def _stopped_by_signals() -> Iterator[list[int]]:
    """Give the list of the signals received: the first Ctrl-C or SIGTERM is added to it, and the second ends the process as usual."""
    received: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    previous = {number: signal.getsignal(number) for number in numbers}

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    def stop(number: int, frame: FrameType | None) -> None:
        received.append(number)
        restore()
        os.write(2, b"\nStopping after this batch ...\n")  # print may be what the signal interrupted

    for number in numbers:
        signal.signal(number, stop)
    try:
        yield received
    finally:
        restore()


def _print_way_on(error: JobCancelledError, partial: Path, options: argparse.Namespace) -> None:
    print(f"{error}.", file=sys.stderr)
    if partial.exists():
        same = "the same command" if options.resume else "the same command without --no-resume"
        print(f"What was computed is kept in {partial}: {same} goes on from there.", file=sys.stderr)


def _print_summary(index: ActivationIndex, path: Path, known: Sequence[SkippedImage]) -> None:
    """Print what the index contains. `known` are the skipped images that have been printed already."""
    new = [image for image in index.skipped if image not in known]
    print_skipped(new, "ActivationIndex.load(path).skipped")
    copies = sum(len(record.sources) - 1 for record in index.copies)
    units = sum(info.channels for info in index.layers)
    dead = sum(int(index.stats(info.name).dead.sum()) for info in index.layers)
    layers = "1 layer" if len(index.layers) == 1 else f"{len(index.layers)} layers"
    read = next(iter(index.tallies.values())).stats.count  # without the crops of skipped images
    print(
        f"Index: {read:,} crops, {copies:,} copies of the same image, {len(index.skipped):,} images skipped; "
        f"{layers}, {units:,} units ({dead:,} dead), {index.k} top activations each; "
        f"in {path} ({path.stat().st_size / 1e6:,.1f} MB)",
        flush=True,
    )
