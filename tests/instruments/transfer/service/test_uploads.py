"""Zips in chunks and by path: whole or not at all, and never anybody else's files."""

import io
import os
import shutil
import zipfile

import pytest

from deconvwidgets.errors import PictureError
from deconvwidgets.instruments.transfer.service import uploads as module
from deconvwidgets.instruments.transfer.service.uploads import Uploads


def zipped(folder, around="flowers/"):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for path in sorted(folder.rglob("*.png")):
            file.write(path, around + path.relative_to(folder).as_posix())
    return data.getvalue()


def with_member(name, content=b"x", **options):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", **options) as file:
        file.writestr(name, content)
    return data.getvalue()


def send(desk, name, data, chunk=1000):
    upload = desk.begin_upload(name, len(data))
    for offset in range(0, len(data), chunk):
        assert desk.add_chunk(upload, offset, data[offset : offset + chunk]) == min(offset + chunk, len(data))
    return desk.finish_upload(upload)


def files(cache):
    return sorted(path.name for path in (cache / "uploads").iterdir())


def test_an_upload_becomes_a_choice_and_can_be_trained_on(service, settings, colours, own_cache):
    desk, told = service.transfer, []
    service.subscribe(told.append)
    folder = send(desk, "My flowers.zip", zipped(colours))
    assert folder == str(own_cache / "uploads" / "My flowers")
    assert [event.kind for event in told] == ["transfer"]
    assert (desk.status().choices[-1].data, desk.status().choices[-1].words) == (folder, "My flowers, uploaded")
    assert desk.data(settings(data=folder)).categories == ("brick", "grass", "sea")
    desk.start(settings(data=folder))
    assert desk.status().runs[0].phase == "done"
    assert send(desk, "My flowers.zip", zipped(colours)) == folder + "-2"
    assert files(own_cache) == ["My flowers", "My flowers-2"]  # the zips are gone


def test_a_chunk_that_is_sent_again_counts_once(service, colours, own_cache):
    desk, data = service.transfer, zipped(colours)
    upload = desk.begin_upload("a.zip", len(data))
    assert desk.add_chunk(upload, 0, data[:500]) == 500
    assert desk.add_chunk(upload, 0, data[:500]) == 500
    assert desk.add_chunk(upload, 500, data[500:900]) == 900
    assert desk.add_chunk(upload, 0, data[:500]) == 900  # late
    for offset, part in ((1000, b"x"), (800, data[800:1000]), (-1, b"xx")):
        with pytest.raises(PictureError, match="900 is next"):
            desk.add_chunk(upload, offset, part)
    with pytest.raises(PictureError, match="More than the announced"):
        desk.add_chunk(upload, 900, data[900:] + b"x")
    assert desk.add_chunk(upload, 900, data[900:]) == len(data)
    assert sorted(path.name for path in (own_cache / "uploads").joinpath(desk.finish_upload(upload)).iterdir()) == ["brick", "grass", "sea"]
    with pytest.raises(PictureError, match="no such upload"):
        desk.finish_upload(upload)


def test_what_is_refused_before_it_begins(service, own_cache, monkeypatch):
    desk = service.transfer
    for name, size, words in (
        ("a.tar", 10, "not a zip by its name"),
        ("a.zip", 0, "is empty"),
        ("a.zip", -5, "is empty"),
        ("a.zip", (4 << 30) + 1, r"4\.0 GiB, more than the 4\.0 GiB.*give its path"),
    ):
        with pytest.raises(PictureError, match=words):
            desk.begin_upload(name, size)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10, 9, 1 << 20))
    with pytest.raises(PictureError, match="Free some space"):
        desk.begin_upload("a.zip", 1 << 20)
    assert files(own_cache) == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"no zip at all", "not a zip file, or is damaged"),
        (with_member("../../evil.png"), "outside the folder"),
        (with_member("/etc/evil.png"), "outside the folder"),
        (with_member("C:\\evil.png"), "outside the folder"),
        (with_member("a/1.png", b"\0" * (80 << 20), compression=zipfile.ZIP_DEFLATED), "unusual for photographs"),
        (with_member("readme.txt"), "contains no image"),
    ],
)
def test_a_bad_zip_leaves_nothing(service, own_cache, data, words):
    before = sorted(own_cache.parent.iterdir())
    with pytest.raises(PictureError, match=words) as raised:
        send(service.transfer, "bad.zip", data, 1 << 20)
    assert ".part" not in str(raised.value)
    assert files(own_cache) == []
    assert sorted(own_cache.parent.iterdir()) == before
    assert len(service.transfer.status().choices) == 4


def test_half_an_upload_is_no_upload(service, colours, own_cache):
    desk, data = service.transfer, zipped(colours)
    upload = desk.begin_upload("half.zip", len(data))
    desk.add_chunk(upload, 0, data[:99])
    with pytest.raises(PictureError, match=rf"99 of the {len(data):,} bytes"):
        desk.finish_upload(upload)
    assert files(own_cache) == []


def test_cancelled_and_closed_uploads_go_and_others_stay(service, make_service, manual_executor, own_cache):
    others = Uploads()
    theirs = others.begin("theirs.zip", 10)
    assert others.add(theirs, 0, b"12345") == 5
    desk = service.transfer
    mine, second = desk.begin_upload("mine.zip", 10), desk.begin_upload("second.zip", 10)
    assert len(files(own_cache)) == 3
    desk.cancel_upload(mine)
    desk.cancel_upload(mine)
    desk.cancel_upload("nonsense")
    with pytest.raises(PictureError, match="no such upload"):
        desk.add_chunk(mine, 0, b"1")
    assert len(files(own_cache)) == 2
    service.close()
    assert len(files(own_cache)) == 1
    with pytest.raises(PictureError, match="no such upload"):
        desk.add_chunk(second, 0, b"1")
    assert others.add(theirs, 5, b"67890") == 10


def test_what_a_kernel_that_ended_left_is_removed(service, own_cache):
    begun = [Uploads().begin("theirs.zip", 10) for _ in range(2)]
    left, recent = (own_cache / "uploads" / f".{number}.part" for number in begun)
    long_ago = left.stat().st_mtime - 25 * 3600
    os.utime(left, (long_ago, long_ago))
    service.transfer.begin_upload("mine.zip", 10)
    assert not left.exists()
    assert recent.exists()
    assert len(files(own_cache)) == 2


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("../../../etc/passwd.zip", "passwd"),
        ("..\\..\\evil.zip", "evil"),
        (".zip", "upload"),
        ("...zip", "upload"),
        (".hidden.zip", "hidden"),
        ("blumen größe.ZIP", "blumen größe"),
        ('a<b>"c"|d\n.zip', "a_b_c_d_"),
        ("x" * 300 + ".zip", "x" * 80),
    ],
)
def test_folders_have_plain_names(service, colours, own_cache, name, folder):
    assert send(service.transfer, name, zipped(colours)) == str(own_cache / "uploads" / folder)


def test_a_zip_by_its_path_is_unpacked_once(service, settings, colours, own_cache, tmp_path, monkeypatch):
    desk, path = service.transfer, tmp_path / "flowers.zip"
    path.write_bytes(zipped(colours))
    summary = desk.data(settings(data=str(path)))
    assert (summary.name, summary.categories, summary.problem) == ("flowers", ("brick", "grass", "sea"), None)
    unpack = module.unpack_zip
    monkeypatch.setattr(module, "unpack_zip", lambda *args: pytest.fail("unpacked again"))
    desk.start(settings(data=str(path)))
    assert desk.status().runs[0].phase == "done"
    assert path.exists()
    monkeypatch.setattr(module, "unpack_zip", unpack)
    shutil.rmtree(colours / "sea")
    path.write_bytes(zipped(colours))
    assert desk.data(settings(data=str(path))).categories == ("brick", "grass")
    path.write_bytes(b"no zip")
    kept = sorted((own_cache / "unpacked").iterdir())
    with pytest.raises(PictureError, match=r"flowers\.zip is not a zip"):
        desk.data(settings(data=str(path)))
    assert sorted((own_cache / "unpacked").iterdir()) == kept
