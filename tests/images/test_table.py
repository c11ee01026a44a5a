"""Data frames of paths and labels."""

import numpy as np
import pytest
from PIL import Image

from deconvwidgets.errors import PictureError
from deconvwidgets.images.open import open_images
from deconvwidgets.images.targets import targets_digest, targets_of


class Frame:
    """Columns by name, as data frames have them."""

    def __init__(self, **columns):
        self._columns = columns
        self.columns = list(columns)

    def __getitem__(self, name):
        return self._columns[name]

    def __len__(self):
        return len(self._columns[self.columns[0]])


@pytest.fixture
def files(tmp_path):
    """Four images and a broken one; returns their names."""
    for number in range(4):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / f"{number}.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    return ["0.png", "1.png", "broken.png", "2.png", "3.png"]


def test_names_of_classes(files, tmp_path):
    images = open_images(Frame(path=files, label=["bee", "ant", "bee", None, "bee"]), root=tmp_path)
    assert images.categories == ("ant", "bee")
    assert [images.label(source) for source in range(4)] == [1, 0, None, 1], "the labels of the readable files"
    assert targets_of(images) == ["bee", "ant", None, "bee"]
    assert [skipped.name for skipped in images.skipped] == ["broken.png"]
    assert images.open_source(3).getpixel((0, 0)) == (3, 0, 0)
    assert targets_of(images.subset([1, 3])) == ["ant", "bee"]


def test_labels_of_other_kinds(files, tmp_path):
    frame = Frame(
        file=[str(tmp_path / name) for name in files],
        number=np.array([3, 1, 0, 2, 2]),
        several=[["bee", "ant"], [], ["x"], {"ant"}, None],
        width=[1.5, 2.0, 3.0, np.nan, 5.0],
        height=np.arange(5.0),
    )
    numbers = open_images(frame, columns=("file", "number"))
    assert (numbers.categories, [numbers.label(source) for source in range(4)]) == (None, [3, 1, 2, 2])
    several = open_images(frame, columns=("file", "several"))
    assert targets_of(several) == [("bee", "ant"), (), frozenset({"ant"}), None]
    assert several.categories == ("ant", "bee")
    values = open_images(frame, columns=("file", ["width", "height"]))
    assert targets_of(values) == [(1.5, 0.0), (2.0, 1.0), None, (5.0, 4.0)]
    assert len({numbers.digest, several.digest, values.digest}) == 3


def test_wrong_columns_are_refused(files, tmp_path):
    frame = Frame(file=files, label=[0] * 5)
    with pytest.raises(PictureError, match=r"no column 'path'; it has 'file', 'label'.*columns=\('path', 'label'\)"):
        open_images(frame, root=tmp_path)
    with pytest.raises(PictureError, match="columns must be"):
        open_images(frame, columns="file")
    with pytest.raises(PictureError, match="row 1 of the table must be a path, not nan"):
        open_images(Frame(path=["a.png", np.nan], label=[0, 1]))
    with pytest.raises(PictureError, match="columns are those of a data frame"):
        open_images(tmp_path, columns=("path", "label"))


def test_the_digest_of_sets_is_the_same_in_every_process():
    assert targets_digest([frozenset({"a", "b", "c"})]) == targets_digest([frozenset({"c", "a", "b"})])
    assert targets_digest([("a", "b")]) != targets_digest([("b", "a")])


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_real_data_frames(library, files, tmp_path):
    frames = pytest.importorskip(library)
    images = open_images(frames.DataFrame({"path": files, "label": ["bee", "ant", "bee", None, "bee"]}), root=tmp_path)
    assert targets_of(images) == ["bee", "ant", None, "bee"]
    numbers = open_images(frames.DataFrame({"path": files, "label": [3, None, 1, 2, 2]}), root=tmp_path)
    assert targets_of(numbers) == [3, None, 2, 2]
    lists = open_images(frames.DataFrame({"path": files, "label": [["a"], [], ["b"], ["a", "b"], []]}), root=tmp_path)
    assert targets_of(lists) == [("a",), (), ("a", "b"), ()]
