"""The commands as they are typed: real weights, real photographs, real files, and errors in one sentence."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deconvwidgets import __version__
from deconvwidgets.cli import main


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that must fail; its one sentence."""
    capsys.readouterr()
    assert main(arguments) == 2
    sentence = capsys.readouterr().err.strip().splitlines()[-1]
    assert sentence.startswith("deconvwidgets: ")
    assert "Traceback" not in sentence
    return sentence


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert __version__ in capsys.readouterr().out
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    told = capsys.readouterr().out
    assert all(command in told for command in ("lab", "index", "figure"))


def test_an_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["microscope"])
    assert "invalid choice" in capsys.readouterr().err


def test_figures_that_cannot_be_written_are_refused_before_the_work(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert ".png, .svg or .html" in refused(capsys, "figure", "--layer", "conv5", "--out", str(tmp_path / "f.gif"))
    assert "folder" in refused(capsys, "figure", "--layer", "conv5", "--out", str(tmp_path / "no" / "f.png"))


def test_a_taken_port_is_refused_before_the_work(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "--port" in refused(capsys, "lab", "--no-browser", "--port", str(taken.getsockname()[1]))


def test_what_does_not_exist_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "alexnot" in refused(capsys, "index", "--model", "alexnot")
    assert str(tmp_path / "nowhere") in refused(capsys, "index", "--images", str(tmp_path / "nowhere"))
    assert "auto" in refused(capsys, "index", "--device", "abacus", "--out", str(tmp_path / "i"))
    out = str(tmp_path / "f.png")
    assert "conv5" in refused(capsys, "figure", "--layer", "conv17", "--out", out)
    assert "255" in refused(capsys, "figure", "--layer", "conv5", "--unit", "256", "--out", out)
    assert "at least one" in refused(capsys, "figure", "--layer", "conv5", "--units", "0", "--out", out)
    assert not Path(out).exists()


@pytest.mark.parametrize("device", ["nonsense", "cuda:99"])
@pytest.mark.parametrize("command", [["lab", "--no-browser", "--port", "0"], ["figure", "--layer", "conv5", "--out", "f.png"], ["index"]])
def test_a_device_that_is_not_there_is_refused_before_the_work(
    capsys: pytest.CaptureFixture[str], command: list[str], device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("deconvwidgets.models.zoo.load_model", lambda name: pytest.fail("the model was loaded"))
    sentence = refused(capsys, *command, "--device", device)
    assert re.search(rf"no device '{device}' here; choose --device auto or cpu", sentence)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_figure_two_is_written_as_png_svg_and_html(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for suffix in ("png", "svg", "html"):
        out = tmp_path / f"figure2.{suffix}"
        assert main(["figure", "--layer", "conv3", "--units", "4", "--sort", "random", "--seed", "3", "--out", str(out)]) == 0
        assert str(out) in capsys.readouterr().out
    pixels = np.asarray(Image.open(tmp_path / "figure2.png").convert("RGB")).astype(int)
    coloured = np.ptp(pixels, axis=2) > 24
    assert coloured.mean() > 0.05, "projections and patches of photographs are coloured"
    assert ((pixels >= 127) & (pixels <= 128)).all(axis=2).mean() < 0.5, "projections are not a grey desert"
    svg, page = (tmp_path / "figure2.svg").read_text(), (tmp_path / "figure2.html").read_text()
    for text in (svg, page):
        assert "conv3" in text
        assert len(re.findall("data:image/png", text)) == 4
    assert "drawn at random (seed 3)" in page
    assert len(re.findall(r'data-tip="#1 · \d', page)) == 8


@pytest.mark.slow
def test_one_unit_is_drawn_large(tmp_path: Path) -> None:
    out = tmp_path / "unit.png"
    assert main(["figure", "--layer", "conv2", "--unit", "7", "--rule", "guided", "--contrast", "shared", "--out", str(out)]) == 0
    assert Image.open(out).width > 1000


@pytest.mark.slow
def test_an_index_is_saved_where_asked_and_used_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "pictures" / "noise"
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(3):
        Image.fromarray(random.integers(0, 255, (240, 240, 3), np.uint8)).save(folder / f"{number}.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    arguments = ["index", "--images", str(tmp_path / "pictures"), "--out", str(tmp_path / "index"), "--device", "cpu"]
    assert main(arguments) == 0
    assert "3 photographs" in capsys.readouterr().out
    made = {file: file.stat().st_mtime_ns for file in (tmp_path / "index").iterdir()}
    assert made
    assert main(arguments) == 0
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "index").iterdir()} == made


def first_address(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    said = []
    for line in process.stdout:
        said.append(line)
        if match := re.search(r"http://\S+", line):
            return match.group()
    raise AssertionError("no address was printed:\n" + "".join(said))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_lab_serves_the_tour_and_ends_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "JUPYTERLAB_SETTINGS_DIR")
    environment = {**os.environ, **{name: str(tmp_path / name) for name in names}}
    command = [sys.executable, "-m", "deconvwidgets", "lab", "--no-browser", "--port", "0", "--device", "cpu"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
    ) as process:
        address = first_address(process)
        root, _, token = address.partition("/lab/tree/01_layers.ipynb?token=")
        request = urllib.request.Request(f"{root}/api/contents/01_layers.ipynb", headers={"Authorization": f"token {token}"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            assert json.load(answer)["type"] == "notebook"
        process.send_signal(number)
        assert process.wait(30) == 0
        assert process.stdout
        assert "Traceback" not in process.stdout.read()
    assert (tmp_path / "deconvwidgets-tour" / "01_layers.ipynb").exists()
    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.1", int(root.rpartition(":")[2])))


def test_paths_are_made_absolute_for_the_notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from argparse import Namespace

    from deconvwidgets import cli

    (tmp_path / "holiday pictures").mkdir()
    monkeypatch.chdir(tmp_path)
    told = cli._environment(Namespace(model="alexnet", images="holiday pictures", device="auto"))
    assert told["DECONVWIDGETS_MODEL"] == "alexnet"
    assert told["DECONVWIDGETS_IMAGES"] == str(tmp_path / "holiday pictures")
    (tmp_path / "photos").mkdir()
    assert cli._environment(Namespace(model="alexnet", images="photos", device="auto"))["DECONVWIDGETS_IMAGES"] == "photos"
    assert cli._environment(Namespace(model="alexnet", images="./photos", device="auto"))["DECONVWIDGETS_IMAGES"] == str(
        tmp_path / "photos"
    )


def test_stdout_stays_free_of_progress_bars(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["index"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines if not line.startswith(" ")] == ["Model", "Images", "Index"]
