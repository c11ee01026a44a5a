"""Uploaded zips are unpacked completely or refused without leaving a file."""

import io
import random
import stat
import zipfile

import numpy as np
import pytest
from PIL import Image

from deconvwidgets.errors import PictureError
from deconvwidgets.images import zip as zip_module
from deconvwidgets.images.open import open_images
from deconvwidgets.images.zip import ArchiveLimits, unpack_zip


def jpeg(seed=0, size=16):
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)).save(file, "JPEG")
    return file.getvalue()


JPEG = jpeg()


def make_zip(path, members, compression=zipfile.ZIP_DEFLATED):
    """`members`: names, or (name or ZipInfo, bytes)."""
    with zipfile.ZipFile(path, "w", compression) as zipped:
        for member in members:
            name, data = member if isinstance(member, tuple) else (member, b"" if member.endswith("/") else JPEG)
            zipped.writestr(name, data)
    return path


def tree(folder):
    return sorted(path.relative_to(folder).as_posix() + "/" * path.is_dir() for path in folder.rglob("*"))


@pytest.fixture
def parent(tmp_path):
    (tmp_path / "parent").mkdir()
    return tmp_path / "parent"


@pytest.fixture
def refused(tmp_path, parent):
    """Check that a zip is refused with this message and that no file is left, in the folder or outside."""

    def check(archive, message, limits=None):
        before = tree(tmp_path)
        with pytest.raises(PictureError, match=message):
            unpack_zip(archive, parent / "new", limits)
        assert tree(tmp_path) == before

    return check


def test_class_folders_are_unpacked(tmp_path, parent):
    archive = make_zip(tmp_path / "a.zip", ["ant/1.jpg", ("ant/2.JPG", jpeg(2)), "bee/1.jpg", "bee/deeper/2.jpg"])
    folder = unpack_zip(archive, parent / "new")
    assert folder == parent / "new"
    assert tree(folder) == ["ant/", "ant/1.jpg", "ant/2.JPG", "bee/", "bee/1.jpg", "bee/deeper/", "bee/deeper/2.jpg"]
    assert (folder / "ant" / "2.JPG").read_bytes() == jpeg(2)
    assert tree(parent) == ["new/", *("new/" + name for name in tree(folder))]
    images = open_images(folder)
    assert (images.categories, len(images)) == (("ant", "bee"), 4)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        (["top/", "top/ant/1.jpg", "top/bee/1.jpg"], ["ant/", "ant/1.jpg", "bee/", "bee/1.jpg"]),
        (["a/b/ant/1.jpg", "a/b/bee/1.jpg", "a/readme.txt"], ["ant/", "ant/1.jpg", "bee/", "bee/1.jpg"]),
        (["top/ant/1.jpg", "__MACOSX/top/ant/._1.jpg", "top/.DS_Store", "top/bee/1.jpg"], ["ant/", "ant/1.jpg", "bee/", "bee/1.jpg"]),
        (["ant/1.jpg", "ant/2.jpg"], ["ant/", "ant/1.jpg", "ant/2.jpg"]),
        (["top/ant/1.jpg"], ["ant/", "ant/1.jpg"]),
        (["top/ant/1.jpg", "top/bee/1.jpg", "loose.jpg"], ["loose.jpg", "top/", "top/ant/", "top/ant/1.jpg", "top/bee/", "top/bee/1.jpg"]),
        (["top/ant/1.jpg", "top/bee/1.jpg", "top/loose.jpg"], ["ant/", "ant/1.jpg", "bee/", "bee/1.jpg", "loose.jpg"]),
        (["top/ant/1.jpg", "top/empty/"], ["ant/", "ant/1.jpg", "empty/"]),
        (["ant/1.jpg", "bee/notes.txt", "ant/run.exe", ".hidden/2.jpg"], ["ant/", "ant/1.jpg", "bee/"]),
        (["top\\ant\\1.jpg", "top\\bee\\1.jpg"], ["ant/", "ant/1.jpg", "bee/", "bee/1.jpg"]),
        (["./ant/1.jpg", "  /1.jpg", "größe/1.jpg"], ["  /", "  /1.jpg", "ant/", "ant/1.jpg", "größe/", "größe/1.jpg"]),
    ],
)  # fmt: skip
def test_parent_folders_are_removed_and_other_files_skipped(tmp_path, parent, members, expected):
    assert tree(unpack_zip(make_zip(tmp_path / "a.zip", members), parent / "new")) == expected


@pytest.mark.parametrize(
    "name",
    ["../out.jpg", "ant/../../out.jpg", "/out.jpg", "C:/out.jpg", "c:out.jpg", "ant/..\\..\\out.jpg", "\\\\host\\out.jpg", "..", "a/.."],
)
def test_unsafe_paths_are_refused(tmp_path, refused, name):
    refused(make_zip(tmp_path / "a.zip", ["ant/1.jpg", (name, JPEG), "bee/1.jpg"]), "outside the folder, so nothing was unpacked")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(tmp_path, refused, kind):
    link = zipfile.ZipInfo("ant/out.jpg")
    link.create_system, link.external_attr = 3, (kind | 0o777) << 16
    refused(make_zip(tmp_path / "a.zip", ["ant/1.jpg", (link, b"/etc/passwd")]), "is a link or a device")


def test_a_zip_bomb_is_refused_by_its_header(tmp_path, refused, monkeypatch):
    archive = make_zip(tmp_path / "a.zip", ["ant/1.jpg", ("ant/2.jpg", b"\0" * (4 << 20))])
    monkeypatch.setattr(zip_module, "_copy", lambda *_: pytest.fail("unpacked"))
    refused(archive, "more than 100 times its own size", ArchiveLimits(free_bytes=1 << 20))
    refused(archive, "more than 1.0 MiB", ArchiveLimits(total_bytes=1 << 20))


def test_a_zip_bomb_with_a_false_header_is_refused(tmp_path, refused, monkeypatch):
    archive = make_zip(tmp_path / "a.zip", ["ant/1.jpg", ("ant/2.jpg", b"\0" * (4 << 20))])
    monkeypatch.setattr(zip_module, "sum", lambda sizes: 0, raising=False)  # as if the headers stated a size of 0
    written = []
    copy = zip_module._copy
    monkeypatch.setattr(zip_module, "_copy", lambda packed, file, budget: (written.append(budget.remaining), copy(packed, file, budget)))
    refused(archive, "more than 100 times its own size", ArchiveLimits(free_bytes=1 << 20))
    assert len(written) == 2


def test_limits_apply_to_all_members_together(tmp_path, refused, parent):
    archive = make_zip(tmp_path / "a.zip", [(f"ant/{number}.jpg", b"\0" * 300_000) for number in range(10)])
    refused(archive, "unpacks to more", ArchiveLimits(total_bytes=2_900_000))
    refused(archive, r"contains 10 files, more than 9\.", ArchiveLimits(members=9))
    assert len(tree(unpack_zip(archive, parent / "new", ArchiveLimits(total_bytes=3_000_000, members=10)))) == 11


def test_a_header_with_a_smaller_size_is_damage(tmp_path, refused):
    archive = make_zip(tmp_path / "a.zip", ["ant/1.jpg", ("ant/2.jpg", b"\0" * (4 << 20))])
    archive.write_bytes(archive.read_bytes().replace((4 << 20).to_bytes(4, "little"), (100).to_bytes(4, "little")))
    refused(archive, "damaged")


def test_encrypted_zips_and_other_compression_methods_are_refused(tmp_path, refused):
    archive = make_zip(tmp_path / "a.zip", ["ant/1.jpg"])
    data = bytearray(archive.read_bytes())
    data[6] |= 1  # the flags in the local header, and in the directory
    data[data.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(bytes(data))
    refused(archive, "is encrypted, .* without a password")
    for method in (zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        refused(make_zip(tmp_path / "b.zip", ["ant/1.jpg"], method), "unsupported method")


def test_other_files_are_refused(tmp_path, refused):
    (tmp_path / "text.zip").write_text("not a zip")
    refused(tmp_path / "text.zip", "is not a zip file, or is damaged")
    refused(make_zip(tmp_path / "none.zip", []), "contains no image")
    refused(make_zip(tmp_path / "texts.zip", ["a/1.txt", ".b/1.jpg", "c.jpg/"]), "contains no image")
    refused(tmp_path / "absent.zip", "cannot be unpacked .*No such file")


def test_a_damaged_byte_is_refused_or_harmless(tmp_path, parent):
    """Every truncation and flipped bit raises PictureError and leaves no file, or the images are unpacked unchanged."""
    archive = make_zip(tmp_path / "a.zip", ["ant/1.jpg", ("bee/2.jpg", jpeg(2))])
    good, draw = archive.read_bytes(), random.Random(4)
    whole = {path.read_bytes() for path in unpack_zip(archive, parent / "good").rglob("*.jpg")}
    damaged = [good[:length] for length in range(0, len(good), 97)]
    for position in [*draw.sample(range(len(good)), 300), *range(len(good) - 150, len(good))]:
        damaged.append(good[:position] + bytes([good[position] ^ (1 << draw.randrange(8))]) + good[position + 1 :])
    refusals = 0
    for number, data in enumerate(damaged):
        archive.write_bytes(data)
        try:
            folder = unpack_zip(archive, parent / str(number))
        except PictureError:
            refusals += 1
            assert not (parent / str(number)).exists()
        else:
            assert {path.read_bytes() for path in folder.rglob("*") if path.is_file()} <= whole
    assert refusals > 200
    assert not [path for path in parent.iterdir() if path.name.startswith(".")]


def test_duplicate_names_are_refused(tmp_path, refused):
    with pytest.warns(UserWarning, match="Duplicate"):
        archive = make_zip(tmp_path / "a.zip", ["ant/1.jpg", ("ant/1.jpg", jpeg(1))])
    refused(archive, "twice")


def test_a_name_of_both_a_file_and_a_folder_is_refused(tmp_path, refused):
    refused(make_zip(tmp_path / "a.zip", ["ant/1.jpg", "ant/1.jpg/2.jpg"]), "cannot be unpacked")
    refused(make_zip(tmp_path / "b.zip", ["ant/1.jpg", "n" * 300 + "/2.jpg"]), "File name too long")


def test_a_full_disk_leaves_no_file(tmp_path, refused, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zip_module, "_copy", full)
    refused(make_zip(tmp_path / "a.zip", ["ant/1.jpg", "bee/1.jpg"]), "No space left on device")


def test_an_interrupt_leaves_no_file(tmp_path, parent, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(zip_module, "_copy", stop)
    with pytest.raises(KeyboardInterrupt):
        unpack_zip(make_zip(tmp_path / "a.zip", ["ant/1.jpg"]), parent / "new")
    assert tree(parent) == []


def test_existing_folders_are_not_overwritten(tmp_path, parent):
    archive = make_zip(tmp_path / "a.zip", ["ant/1.jpg"])
    (parent / "new").mkdir()
    with pytest.raises(PictureError, match="already exists"):
        unpack_zip(archive, parent / "new")
    with pytest.raises(PictureError, match="Choose another folder"):
        unpack_zip(archive, parent / "absent" / "new")
