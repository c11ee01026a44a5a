"""Building real indexes that are killed, interrupted, or whose photographs, weights and files change meanwhile."""

import re
import signal
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest

import deconvwidgets as dw
from deconvwidgets.compute.job import JobContext
from deconvwidgets.errors import ActivationIndexError, JobCancelledError
from deconvwidgets.index.commits import partial_path
from deconvwidgets.index.index_file import encode_index
from tests.conftest import make_tiny_bundle
from tests.index.killed_build import ROOT, Builder, write_photographs

SETTINGS = {"device": "cpu", "progress": False, "batch_size": 4, "workers": 0, "samples": 20, "k": 5}
ERROR = ActivationIndexError


@pytest.fixture
def photographs(tmp_path):
    write_photographs(tmp_path / "photographs", 400)
    return tmp_path / "photographs"


def build_here(photographs, path=None, bundle=None, **settings):
    return dw.ActivationIndex.build(bundle or make_tiny_bundle(), dw.open_images(photographs), path=path, **{**SETTINGS, **settings})


def interrupted(photographs, path, crops=50):
    """Build the index of the first crops."""
    reports = []
    job = JobContext(on_progress=reports.append, cancelled=lambda: bool(reports) and reports[-1].done >= crops)
    with pytest.raises(JobCancelledError):
        build_here(photographs, path, job=job)


@pytest.mark.slow
def test_a_build_that_is_killed_goes_on_to_the_same_bytes(photographs, tmp_path):
    whole, path, kills, crops = tmp_path / "whole.index", tmp_path / "a.index", [], 0
    generator = np.random.default_rng(1)
    with Builder(photographs) as builder:
        seconds = builder.build(whole).seconds
        while not path.exists():
            left = builder.build(path, generator.uniform(0.1, 0.6) * seconds if len(kills) < 4 else None)
            if left.killed:
                kills.append(left.crops)
                assert left.crops >= crops
                crops = left.crops
    assert kills
    assert path.read_bytes() == whole.read_bytes()
    assert not list(tmp_path.glob(".*.part")) + list(tmp_path.glob("*.partial"))


def test_a_cancelled_build_is_committed_and_goes_on_to_the_same_bytes(photographs, tmp_path):
    interrupted(photographs, tmp_path / "a.index")
    assert sorted(path.name for path in tmp_path.glob("*.index*")) == ["a.index.partial"]
    so_far = dw.ActivationIndex.load(tmp_path / "a.index.partial")  # it can be looked at
    assert 0 < so_far.crops < 400
    reports = []
    index = build_here(photographs, tmp_path / "a.index", job=JobContext(on_progress=reports.append))
    assert reports[0].done > so_far.crops  # none of them is computed again
    assert sorted(path.name for path in tmp_path.glob("*.index*")) == ["a.index"]
    data = (tmp_path / "a.index").read_bytes()
    assert data == encode_index(*build_here(photographs).state()) == encode_index(*index.state())


def test_an_interruption_within_a_batch_commits_no_half_of_it(photographs, tmp_path, monkeypatch):
    from deconvwidgets.index.index_pass import IndexPass

    rank, calls = IndexPass._rank, iter(range(2))

    def interrupt(self, *arguments):
        if next(calls, None) is None:
            raise KeyboardInterrupt
        rank(self, *arguments)

    monkeypatch.setattr(IndexPass, "_rank", interrupt)
    with pytest.raises(KeyboardInterrupt):
        build_here(photographs, tmp_path / "a.index", commit_seconds=1e-9)
    monkeypatch.setattr(IndexPass, "_rank", rank)
    build_here(photographs, tmp_path / "a.index")
    assert (tmp_path / "a.index").read_bytes() == encode_index(*build_here(photographs).state())


def test_what_changed_since_the_interruption_is_named(photographs, tmp_path):
    path = tmp_path / "a.index"
    interrupted(photographs, path)
    committed = partial_path(path).read_bytes()
    with pytest.raises(ERROR, match=r"a\.index\.partial does not fit.*other weights below.*overwrite=True"):
        build_here(photographs, path, make_tiny_bundle(seed=1))
    with pytest.raises(ERROR, match=r"a\.index\.partial does not fit.*k=5.*overwrite=True"):
        build_here(photographs, path, k=4)
    (photographs / "00007.png").write_bytes((photographs / "00003.png").read_bytes())
    with pytest.raises(ERROR, match=r"a\.index\.partial does not fit.*other contents.*overwrite=True"):
        build_here(photographs, path)
    assert partial_path(path).read_bytes() == committed
    with pytest.warns(UserWarning, match="other contents"):
        build_here(photographs, path, overwrite=True)
    assert path.read_bytes() == encode_index(*build_here(photographs).state())
    with pytest.raises(ERROR, match=r"a\.index does not fit.*other weights"):
        build_here(photographs, path, make_tiny_bundle(seed=1))


def test_a_photograph_that_vanishes_meanwhile_is_skipped_and_listed(photographs, tmp_path):
    def delete(progress):
        with suppress(FileNotFoundError):
            (photographs / "00395.png").unlink()

    crops = len(dw.open_images(photographs))
    index = build_here(photographs, tmp_path / "a.index", job=JobContext(on_progress=delete))
    assert sorted(image.name.rpartition("/")[2] for image in index.skipped) == ["00395.png", "broken.png"]
    assert index.crops == crops


@pytest.mark.slow
def test_the_command_stops_with_a_commit_and_goes_on(tmp_path):
    from PIL import Image

    (tmp_path / "photographs").mkdir()
    generator, path = np.random.default_rng(0), tmp_path / "a.index"
    for number in range(300):
        pixels = np.full((230, 230, 3), generator.integers(0, 256, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photographs" / f"{number}.jpg")
    command = [sys.executable, "-m", "deconvwidgets", "index", "--images", str(tmp_path / "photographs"), "--out", str(path)]
    command += ["--device", "cpu", "--layers", "conv1", "--k", "3", "--batch-size", "2", "--workers", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr
    text = ""
    while not re.search(r" [1-9]\d*/300", text) and process.poll() is None:  # of the progress bar
        text += process.stderr.read(1)
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait(60) == 130
    assert "Stopping after this batch" in rest
    assert f"kept in {tmp_path / 'a.index.partial'}: the same command goes on from there" in rest
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
    assert "Index: 300 crops, 0 copies of the same image, 0 images skipped; 1 layer, 64 units" in done.stdout
    images = dw.open_images(tmp_path / "photographs")
    whole = dw.ActivationIndex.build(dw.load_model("alexnet"), images, ["conv1"], k=3, device="cpu", progress=False)
    assert path.read_bytes() == encode_index(*whole.state())
