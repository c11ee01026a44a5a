"""The command `deconvwidgets serve`."""

from __future__ import annotations

import argparse
import os
import time

from deconvwidgets.cli_options import whole_number
from deconvwidgets.errors import DeconvWidgetsError

_LOOK_SECONDS = 5.0


def serve_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command, besides --model, --images and --device."""
    parser.add_argument("--name", default="class", help="the name that notebooks connect to (default: class)")
    ray_help = "the Ray cluster: auto (default: that of this machine), local (started here), ray://HOST:10001 or HOST:6379"
    parser.add_argument("--ray", default="auto", metavar="ADDRESS", help=ray_help)
    parser.add_argument("--index", metavar="PATH", help="an index on the service's machine (default: from the cache there, or built)")
    parser.add_argument("--sessions", type=whole_number(1, 1000), default=64, help="the number of notebooks at a time (default: 64)")
    parser.add_argument("--detach", action="store_true", help="end this command and leave the service running")
    parser.add_argument("--stop", action="store_true", help="end the service of that name, started with --detach or elsewhere")
    parser.set_defaults(run=run_serve)


def run_serve(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C, or leave a detached service running, or stop one."""
    from deconvwidgets.remote.serve import serve, stop_serving

    if options.stop:
        stop_serving(options.name, options.ray)
        print(f"The service {options.name!r} was stopped.")
        return 0
    print(f"Loading {options.model} and {options.images} ...", flush=True)
    served = serve(
        options.model, _path_or_name(options.images), name=options.name, address=options.ray, device=options.device,
        index=options.index, detached=options.detach, max_sessions=options.sessions,
    )  # fmt: skip
    print(f"The service {served.name!r} runs on {served.where}. In the notebooks:\n")
    print(f"    dw.connect({served.shown_address!r}, name={served.name!r})\n")
    print("Whoever reaches the ports of the Ray cluster can run code on its machines: keep them in a private network.", flush=True)
    if options.detach:
        print(f"It goes on without this command; deconvwidgets serve --stop --name {served.name} --ray {options.ray} ends it.")
        return 0
    print("Press Ctrl-C to stop it.", flush=True)
    try:
        while True:
            time.sleep(_LOOK_SECONDS)
            served.require_running()
    except KeyboardInterrupt:
        print("\nStopping the service ...", flush=True)
        return 0
    finally:
        served.close()


def _path_or_name(images: str) -> str:
    """Return an absolute path for a folder or file of this machine. Raises DeconvWidgetsError for a relative one that does not exist."""
    if os.sep not in images and not os.path.exists(images):
        return images
    if not os.path.isabs(images) and not os.path.exists(images):
        raise DeconvWidgetsError(f"There is no {images} here: give the absolute path of a folder of images on the service's machine.")
    return os.path.realpath(images)
