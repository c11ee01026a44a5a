"""Uploads of zip files in chunks, and zip files that are given by their paths."""

import io
import os
import shutil
import zipfile

import pytest

from deconvwidgets.errors import PictureError
from deconvwidgets.instruments.transfer.service import uploads as module
from deconvwidgets.instruments.transfer.service.uploads import Uploads


def zip_folder(folder, around="flowers/"):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for path in sorted(folder.rglob("*.png")):
            file.write(path, around + path.relative_to(folder).as_posix())
    return data.getvalue()


def zip_with_member(name, content=b"x", **options):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", **options) as file:
        file.writestr(name, content)
    return data.getvalue()


def upload_file(api, name, data, chunk=1000):
    upload = api.begin_upload(name, len(data))
    for offset in range(0, len(data), chunk):
        assert api.add_chunk(upload, offset, data[offset : offset + chunk]) == min(offset + chunk, len(data))
    return api.finish_upload(upload)


def list_uploads(cache):
    return sorted(path.name for path in (cache / "uploads").iterdir())


def test_upload_is_added_to_the_choices_and_can_be_trained_on(service, settings, colours, own_cache):
    api, events = service.transfer, []
    service.subscribe(events.append)
    folder = upload_file(api, "My flowers.zip", zip_folder(colours))
    assert folder == str(own_cache / "uploads" / "My flowers")
    assert [event.kind for event in events] == ["transfer"]
    assert (api.status().choices[-1].data, api.status().choices[-1].description) == (folder, "My flowers (uploaded)")
    assert api.data(settings(data=folder)).categories == ("brick", "grass", "sea")
    api.start(settings(data=folder))
    assert api.status().runs[0].phase == "done"
    assert upload_file(api, "My flowers.zip", zip_folder(colours)) == folder + "-2"
    assert list_uploads(own_cache) == ["My flowers", "My flowers-2"]  # the zip files are removed


def test_repeated_chunks_are_ignored(service, colours, own_cache):
    api, data = service.transfer, zip_folder(colours)
    upload = api.begin_upload("a.zip", len(data))
    assert api.add_chunk(upload, 0, data[:500]) == 500
    assert api.add_chunk(upload, 0, data[:500]) == 500
    assert api.add_chunk(upload, 500, data[500:900]) == 900
    assert api.add_chunk(upload, 0, data[:500]) == 900  # a late repetition
    for offset, part in ((1000, b"x"), (800, data[800:1000]), (-1, b"xx")):
        with pytest.raises(PictureError, match="900 is next"):
            api.add_chunk(upload, offset, part)
    with pytest.raises(PictureError, match="More than the announced"):
        api.add_chunk(upload, 900, data[900:] + b"x")
    assert api.add_chunk(upload, 900, data[900:]) == len(data)
    assert sorted(path.name for path in (own_cache / "uploads").joinpath(api.finish_upload(upload)).iterdir()) == ["brick", "grass", "sea"]
    with pytest.raises(PictureError, match="no such upload"):
        api.finish_upload(upload)


def test_invalid_uploads_are_rejected_at_the_beginning(service, own_cache, monkeypatch):
    api = service.transfer
    for name, size, message in (
        ("a.tar", 10, "not a zip by its name"),
        ("a.zip", 0, "is empty"),
        ("a.zip", -5, "is empty"),
        ("a.zip", (4 << 30) + 1, r"4\.0 GiB, more than the 4\.0 GiB.*give its path"),
    ):
        with pytest.raises(PictureError, match=message):
            api.begin_upload(name, size)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10, 9, 1 << 20))
    with pytest.raises(PictureError, match="Free some space"):
        api.begin_upload("a.zip", 1 << 20)
    assert list_uploads(own_cache) == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"no zip at all", "not a zip file, or is damaged"),
        (zip_with_member("../../evil.png"), "outside the folder"),
        (zip_with_member("/etc/evil.png"), "outside the folder"),
        (zip_with_member("C:\\evil.png"), "outside the folder"),
        (zip_with_member("a/1.png", b"\0" * (80 << 20), compression=zipfile.ZIP_DEFLATED), "unusual for photographs"),
        (zip_with_member("readme.txt"), "contains no image"),
    ],
)
def test_invalid_zips_leave_no_files(service, own_cache, data, message):
    before = sorted(own_cache.parent.iterdir())
    with pytest.raises(PictureError, match=message) as raised:
        upload_file(service.transfer, "bad.zip", data, 1 << 20)
    assert ".part" not in str(raised.value)
    assert list_uploads(own_cache) == []
    assert sorted(own_cache.parent.iterdir()) == before
    assert len(service.transfer.status().choices) == 4


def test_incomplete_upload_raises_an_error(service, colours, own_cache):
    api, data = service.transfer, zip_folder(colours)
    upload = api.begin_upload("half.zip", len(data))
    api.add_chunk(upload, 0, data[:99])
    with pytest.raises(PictureError, match=rf"99 of the {len(data):,} bytes"):
        api.finish_upload(upload)
    assert list_uploads(own_cache) == []


def test_cancel_and_close_remove_the_files_of_their_uploads_only(service, make_service, manual_executor, own_cache):
    others = Uploads()
    other_upload = others.begin("other_upload.zip", 10)
    assert others.add(other_upload, 0, b"12345") == 5
    api = service.transfer
    first, second = api.begin_upload("first.zip", 10), api.begin_upload("second.zip", 10)
    assert len(list_uploads(own_cache)) == 3
    api.cancel_upload(first)
    api.cancel_upload(first)
    api.cancel_upload("nonsense")
    with pytest.raises(PictureError, match="no such upload"):
        api.add_chunk(first, 0, b"1")
    assert len(list_uploads(own_cache)) == 2
    service.close()
    assert len(list_uploads(own_cache)) == 1
    with pytest.raises(PictureError, match="no such upload"):
        api.add_chunk(second, 0, b"1")
    assert others.add(other_upload, 5, b"67890") == 10


def test_old_partial_uploads_are_removed(service, own_cache):
    uploads = [Uploads().begin("other_upload.zip", 10) for _ in range(2)]
    old, recent = (own_cache / "uploads" / f".{number}.part" for number in uploads)
    yesterday = old.stat().st_mtime - 25 * 3600
    os.utime(old, (yesterday, yesterday))
    service.transfer.begin_upload("first.zip", 10)
    assert not old.exists()
    assert recent.exists()
    assert len(list_uploads(own_cache)) == 2


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
def test_folder_names_are_sanitised(service, colours, own_cache, name, folder):
    assert upload_file(service.transfer, name, zip_folder(colours)) == str(own_cache / "uploads" / folder)


def test_zip_given_by_its_path_is_unpacked_once(service, settings, colours, own_cache, tmp_path, monkeypatch):
    api, path = service.transfer, tmp_path / "flowers.zip"
    path.write_bytes(zip_folder(colours))
    summary = api.data(settings(data=str(path)))
    assert (summary.name, summary.categories, summary.problem) == ("flowers", ("brick", "grass", "sea"), None)
    unpack = module.unpack_zip
    monkeypatch.setattr(module, "unpack_zip", lambda *args: pytest.fail("unpacked again"))
    api.start(settings(data=str(path)))
    assert api.status().runs[0].phase == "done"
    assert path.exists()
    monkeypatch.setattr(module, "unpack_zip", unpack)
    shutil.rmtree(colours / "sea")
    path.write_bytes(zip_folder(colours))
    assert api.data(settings(data=str(path))).categories == ("brick", "grass")
    path.write_bytes(b"no zip")
    unpacked = sorted((own_cache / "unpacked").iterdir())
    with pytest.raises(PictureError, match=r"flowers\.zip is not a zip"):
        api.data(settings(data=str(path)))
    assert sorted((own_cache / "unpacked").iterdir()) == unpacked
