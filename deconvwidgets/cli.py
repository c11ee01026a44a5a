"""The commands `deconvwidgets lab`, `index`, `figure`, `freeze`, `check`, `serve` and `freeze-notebook`."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TextIO

from deconvwidgets import __version__, cli_check, cli_freeze, cli_index
from deconvwidgets.atomic_file import way_on, write_atomic
from deconvwidgets.cli_options import EXIT_CODES, UsageError, figure_file, refused_as_usage, tile_size, unit_numbers, whole_number
from deconvwidgets.cli_output import print_any_character, printable
from deconvwidgets.cli_prepare import prepare
from deconvwidgets.cli_serve import serve_options
from deconvwidgets.errors import DeconvWidgetsError, LayerError
from deconvwidgets.paths import as_path, parent_of

DEBUG_VARIABLE = "DECONVWIDGETS_DEBUG"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code: 0, 1 after a failure, 2 if the command line is wrong, or 130 after Ctrl-C.

    The parser ends the process itself, by SystemExit with the code 2, where it refuses the command line.
    """
    options = _parser().parse_args(arguments)
    print_any_character()
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            code: int = options.run(options)
        sys.stdout.flush()
    except DeconvWidgetsError as error:
        print(f"deconvwidgets: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        print(f"deconvwidgets: {_describe_failure(error)}", file=sys.stderr)
        _discard_output()
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    return code


def _describe_failure(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error}. Check the free space and the permissions."
    reason = f"{type(error).__name__}: {str(error) or 'no message'}".splitlines()[0]
    return f"unexpected error ({reason}). Set {DEBUG_VARIABLE}=1 to see where, and report it, please."


def _discard_output() -> None:
    """Discard what cannot be written, so that the interpreter does not fail again when it ends: a full disk, a closed pipe."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None, line: str | None = None
) -> None:
    """Print a warning without its source line."""
    print(f"deconvwidgets: {message}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "deconvwidgets",
        description="A microscope for convolutional networks in JupyterLab.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"deconvwidgets {__version__}")
    shared = _shared_options
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _lab_options(commands.add_parser("lab", parents=[shared()], help="download weights and images, copy the tour and start JupyterLab"))
    cli_index.add_options(commands.add_parser("index", parents=[shared()], help=cli_index.SUMMARY))
    _figure_options(
        commands.add_parser("figure", parents=[shared()], help="write a figure of a layer's units, as in figure 2 of the paper")
    )
    cli_freeze.add_options(commands.add_parser("freeze", parents=[shared()], help=cli_freeze.SUMMARY))
    cli_check.add_options(commands.add_parser("check", parents=[shared()], help=cli_check.SUMMARY))
    serve_options(commands.add_parser("serve", parents=[shared()], help="serve a model to the notebooks of a class, from a Ray cluster"))
    _freeze_options(commands.add_parser("freeze-notebook", help="copy a notebook with pictures in place of its widgets, to publish it"))
    return parser


def _shared_options() -> argparse.ArgumentParser:
    """Return the options that commands share, for one command each, which may change a default: parsers share those of a parent."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--model",
        default="alexnet",
        help="a torchvision classification CNN, zfnet, efficientnet_lite0, timm:NAME or hf:NAME (default: alexnet)",
    )
    common.add_argument("--images", default="photos", help='"photos" (default), "imagenette" (326 MB), "caltech101" or a folder of images')
    common.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1 or mps")
    return common


def _lab_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-browser", action="store_true", help="print the address without opening a browser")
    port_help = "the port to listen on, 0 for any (default: the first free one from 8888)"
    parser.add_argument("--port", type=whole_number(0, 65535), help=port_help)
    parser.add_argument("--ip", default="127.0.0.1", help="the address to listen on (default: 127.0.0.1, this machine only)")
    parser.set_defaults(run=_lab)


def _figure_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--layer", required=True, help='the layer: an alias such as conv5, or the name of a module; "all": one row each')
    units_help = "the number of units, or their numbers as in 3,17,133 (default: 16, 5 of each layer, 64 in HTML)"
    parser.add_argument("--units", type=unit_numbers, help=units_help)
    parser.add_argument("--unit", type=whole_number(0), help="draw a single unit at a larger size")
    parser.add_argument("--size", type=tile_size, help="small, medium (default), large, or the pixels of a tile")
    parser.add_argument("--sort", choices=["strongest", "random", "index"], default="strongest", help="which units (default: strongest)")
    parser.add_argument("--seed", type=whole_number(0), default=0, help="the seed of --sort random (default: 0)")
    parser.add_argument(
        "--rule",
        choices=["deconvnet", "gradient", "guided", "extended"],
        default="deconvnet",
        help="the rule of the projection (default: deconvnet); extended: deconvnet with our extension beyond the paper",
    )
    parser.add_argument(
        "--contrast",
        choices=["tile", "shared"],
        default="tile",
        help="scale each tile, or all of a unit (default: tile)",
    )
    parser.add_argument("--out", type=figure_file, required=True, help="the file to write: .png, .svg, .pdf or .html")
    parser.set_defaults(run=_figure)


def _freeze_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="IN", help="the notebook, which was run and saved")
    parser.add_argument("target", metavar="OUT", help="the copy to write")
    parser.add_argument("--force", action="store_true", help="overwrite OUT if it exists")
    parser.set_defaults(run=_freeze)


def _lab(options: argparse.Namespace) -> int:
    from deconvwidgets.lab.ports import AddressError, reserve_port
    from deconvwidgets.lab.server import interrupt_on_signals, require_jupyterlab, run_on_reserved_port
    from deconvwidgets.lab.tour import FIRST_NOTEBOOK, TOUR_FOLDER, copy_tour

    require_jupyterlab()
    with refused_as_usage(AddressError):
        port = reserve_port(options.ip, options.port)  # before the long computations, so that an error is reported at once
    prepare(options)
    copied = copy_tour(Path.cwd() / TOUR_FOLDER)
    print(f"Tour: {copied.folder}")
    for name in copied.kept:
        print(f"  {name} was changed and is not overwritten; delete or rename it to get the notebook of this version.")
    with interrupt_on_signals(), run_on_reserved_port(port, copied.folder, _environment(options)) as (address, server):
        url = address.notebook(FIRST_NOTEBOOK)
        print(f"\nJupyterLab is running at\n\n    {url}\n\nPress Ctrl-C to stop it.\n", flush=True)
        if not options.no_browser:
            _open_browser(url)
        try:
            code = server.wait()
        except KeyboardInterrupt:
            print("\nStopping JupyterLab and its kernels ...", flush=True)
            return 0
    print(f"JupyterLab exited with code {code}.", file=sys.stderr)
    return code


def _open_browser(url: str) -> None:
    import webbrowser

    if not webbrowser.open(url):
        print("No browser could be opened; open the address above in a browser.", flush=True)


def _environment(options: argparse.Namespace) -> dict[str, str]:
    """Return the variables that `LocalModelService.from_environment` reads in the notebooks, with absolute paths."""
    return {
        "DECONVWIDGETS_MODEL": _absolute_model(options.model),
        "DECONVWIDGETS_IMAGES": _absolute(options.images),
        "DECONVWIDGETS_DEVICE": options.device,
    }


def _absolute_model(name: str) -> str:
    """Return the name of a model, with an absolute path if it is "hf:" and a folder. The names of repositories contain slashes, too."""
    library, _, rest = name.partition(":")
    if library != "hf" or not rest:
        return name
    folder = as_path(rest, "--model", DeconvWidgetsError)
    return f"hf:{os.path.realpath(folder)}" if folder.is_dir() else name


def _absolute(name: str) -> str:
    path = as_path(name, "--images", DeconvWidgetsError)
    return os.path.realpath(path) if os.sep in name or (path.exists() and not name.isidentifier()) else name


def _figure(options: argparse.Namespace) -> int:
    if not parent_of(as_path(options.out, "--out", DeconvWidgetsError)).is_dir():
        raise DeconvWidgetsError(f"The folder of {options.out} does not exist; create it first.")
    if options.layer == "all" and (options.unit is not None or isinstance(options.units, list)):
        raise UsageError("--layer all draws the first units of each layer: pass --units as a number, or name one layer.")
    if options.unit is not None and options.units is not None:
        raise UsageError("--unit draws a single unit, and --units several: give either.")
    figure = "layers" if options.layer == "all" else "layer" if options.unit is None else "unit"
    kind: Any = f"{figure}{options.out.suffix.lower()}"
    with closing(prepare(options).service(options.device)) as service, refused_as_usage(LayerError):  # --layer, --unit, --units
        if options.layer != "all":
            service.layers.open(options.layer)
            service.wait()
        data = service.layers.figure(kind, _figure_state(options))
    try:
        write_atomic(options.out, data)
    except OSError as error:
        raise DeconvWidgetsError(f"{options.out} cannot be written: {error.strerror}. {way_on(error, 'Choose another place')}.") from error
    print(f"{options.out} ({len(data) / 1e6:.1f} MB)")
    return 0


def _freeze(options: argparse.Namespace) -> int:
    from deconvwidgets.lab.frozen_notebook import freeze_notebook

    source, target = as_path(options.source, "IN", DeconvWidgetsError), as_path(options.target, "OUT", DeconvWidgetsError)
    frozen = freeze_notebook(source, target, force=options.force)
    print(f"{target}: {frozen.pictures} of {frozen.pictures + len(frozen.texts)} widgets are pictures.")
    for text in frozen.texts:
        print(f"  without a picture, shown as text: {printable(text)}")
    return 0


def _figure_state(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options as a state of a LayerExplorer."""
    state = {name: getattr(options, name) for name in ("units", "unit", "sort", "seed", "rule", "contrast", "size")}
    return state if options.layer == "all" else {**state, "layer": options.layer}
