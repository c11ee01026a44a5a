"""The command `deconvwidgets check`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from deconvwidgets.atomic_file import way_on, write_atomic
from deconvwidgets.cli_model_options import add_model_options, chosen_layers, load_model_and_images
from deconvwidgets.cli_options import whole_number
from deconvwidgets.errors import ComparisonError, DeconvWidgetsError
from deconvwidgets.instruments.comparison.check_limits import CheckLimits, Limit
from deconvwidgets.paths import as_path, parent_of

if TYPE_CHECKING:
    from deconvwidgets.instruments.comparison.check_records import UnitCheck

SUMMARY = "check a model against frozen units: what died, split or looks for something else"
_DESCRIPTION = f"""{SUMMARY.capitalize()}.

The model is run once over the images that the units were frozen with; other images are refused. Units are matched by their activations, so
that permuted channels are found again. N is a number of units, or a percentage of those of all checked layers."""
_EPILOG = """exit codes:
  0    no limit is exceeded
  1    more units died or changed than are allowed; or the check failed: other images, a damaged file, ...
  2    the command line is wrong
  130  stopped by Ctrl-C"""
_FILES = {"html": "a page with the changed units before and after", "json": "all numbers", "csv": "a table with a row per unit"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to its parser."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--against", type=Path, required=True, metavar="FILE", help="the file that deconvwidgets freeze wrote")
    add_model_options(parser)
    limits = CheckLimits()
    for kind, what in (("died", "may be silent"), ("changed", "may be changed, merged or lost"), ("moved", "may have another number")):
        _add_limit(parser, kind, what, getattr(limits, kind))
    _add_limit(parser, "split", "may be there several times", limits.split)
    for name, what in (
        ("correlation", "the correlation of the activations of units that are the same"),
        ("overlap", "the share of the strongest photographs that must be among them again"),
        ("likeness", "the correlation of small projections at the same places"),
    ):
        default = getattr(limits, name)
        add(f"--min-{name}", type=_share, default=default, metavar="SHARE", help=f"{what}, 0 to 1 (default: {default})")
    add("--max-scale", type=_scale, default=limits.scale, metavar="FACTOR", help="change of the mean activation (default: 4)")
    for kind, what in _FILES.items():
        add(f"--{kind}", type=Path, metavar="FILE", help=f"write {what}")
    add("--junit", type=Path, metavar="FILE", help="write a JUnit report, which CI systems show")
    add("--figures", type=whole_number(0, 1000), default=60, metavar="N", help="units shown in --html (default: 60)")
    add("--format", choices=["text", "github"], default="text", help="github: also print errors that GitHub Actions shows")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check the model and return the exit code."""
    from deconvwidgets.instruments.comparison.compute.check import check
    from deconvwidgets.instruments.comparison.compute.frozen_file import read_frozen

    files = {kind: as_path(path, f"--{kind}", DeconvWidgetsError) for kind in (*_FILES, "junit") if (path := getattr(options, kind))}
    for path in files.values():
        if not parent_of(path).is_dir():
            raise DeconvWidgetsError(f"The folder of {path} does not exist; create it first.")
    print(f"Frozen: {read_frozen(options.against)!r}")  # before anything is loaded
    bundle, images = load_model_and_images(options)
    found = check(
        options.against, bundle, images, chosen_layers(options),
        max_died=options.max_died, max_changed=options.max_changed, max_moved=options.max_moved, max_split=options.max_split,
        min_correlation=options.min_correlation, min_overlap=options.min_overlap, min_likeness=options.min_likeness,
        max_scale=options.max_scale, figures=options.figures if "html" in files else 0, device=options.device,
        progress=not options.quiet,
    )  # fmt: skip
    _write(found, files)
    _print_result(found, options.format)
    return found.exit_code


def _add_limit(parser: argparse.ArgumentParser, kind: str, what: str, default: Limit) -> None:
    unlimited = default.count is None and default.percent is None
    shown = "any number" if unlimited else str(default).replace("%", "%%")
    value = None if unlimited else default
    parser.add_argument(f"--max-{kind}", type=_limit, default=value, metavar="N", help=f"how many units {what} (default: {shown})")


def _limit(value: str) -> Limit:
    try:
        return Limit.of(value)
    except ComparisonError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _share(value: str) -> float:
    return _checked_number("correlation", value, "0 to 1")


def _scale(value: str) -> float:
    return _checked_number("scale", value, "1 on")


def _checked_number(name: str, value: str, expected: str) -> float:
    try:
        checked: float = getattr(CheckLimits.checked(**{name: float(value)}), name)
    except (ValueError, ComparisonError):
        raise argparse.ArgumentTypeError(f"{value!r} is no number from {expected}") from None
    return checked


def _write(found: UnitCheck, files: dict[str, Path]) -> None:
    from deconvwidgets.instruments.comparison.figures.check_file import check_file

    for kind, path in files.items():
        data = check_file(found, "xml" if kind == "junit" else kind)
        try:
            write_atomic(path, data)
        except OSError as error:
            raise DeconvWidgetsError(f"{path} cannot be written: {error.strerror}. {way_on(error, 'Choose another place')}.") from error
        print(f"{path} ({len(data) / 1e6:.1f} MB)")


def _print_result(found: UnitCheck, form: str) -> None:
    from deconvwidgets.instruments.comparison.figures.check_file import github_lines, summary_lines

    print("\n".join(summary_lines(found)))
    if form == "github":
        print("\n".join(github_lines(found)))
