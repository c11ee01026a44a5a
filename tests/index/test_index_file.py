"""The file of an index: its format, that every bit of it is covered by the checksum, and what is refused."""

import hashlib
import json
import random

import numpy as np
import pytest
import safetensors.numpy

from deconvwidgets.errors import ActivationIndexError
from deconvwidgets.index import index_file
from deconvwidgets.index.index_file import decode_index, encode_index, read_index, write_index

MANIFEST = {"identity": {"model": "tiny", "k": 9}, "ranges": ((0, 3), (5, 9)), "skipped": [["a\udce9 é.jpg", "truncated"]], "mean": 0.1}
TENSORS = {
    "0.values": np.array([[1.5, -np.inf]], np.float32),
    "0.crops": np.array([[3, -1]], np.int64),
    "contents": np.array([2**64 - 1, 0], np.uint64),
    "fired": np.array([True, False]),
    "empty": np.zeros((0, 3), np.int32),
}


def sealed(body, title=b"deconvwidgets activation index 2\n"):
    """Return a file of this body with the right checksum."""
    return title + hashlib.sha256(title + body).hexdigest().encode() + b"\n" + body


def test_the_format_is_a_title_a_checksum_and_a_safetensors_file():
    title, checksum, body = encode_index(MANIFEST, TENSORS).split(b"\n", 2)
    assert title == b"deconvwidgets activation index 2"
    assert checksum.decode() == hashlib.sha256(title + b"\n" + body).hexdigest()
    assert safetensors.numpy.load(body)["0.crops"].tolist() == [[3, -1]]
    header = json.loads(body[8 : 8 + int.from_bytes(body[:8], "little")])
    assert json.loads(header["__metadata__"]["index"])["manifest"]["identity"] == {"model": "tiny", "k": 9}


@pytest.mark.parametrize("complete", [True, False])
def test_what_was_written_is_read(tmp_path, complete):
    write_index(tmp_path / "new" / "a.index", MANIFEST, TENSORS, complete)
    content = read_index(tmp_path / "new" / "a.index")
    assert content.manifest == json.loads(json.dumps(MANIFEST))  # tuples became lists
    assert content.complete is complete
    assert content.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert (content.tensors[name].dtype, content.tensors[name].shape) == (tensor.dtype, tensor.shape)
        assert content.tensors[name].tobytes() == tensor.tobytes()
        content.tensors[name][...] = 0  # they may be changed


def test_equal_content_has_equal_bytes():
    data, generator = encode_index(MANIFEST, TENSORS), random.Random(0)
    for _ in range(20):
        names, keys = list(TENSORS), list(MANIFEST)
        generator.shuffle(names)
        generator.shuffle(keys)
        tensors = {name: np.asfortranarray(TENSORS[name]) for name in names}
        assert encode_index({key: MANIFEST[key] for key in keys}, tensors) == data


def test_no_flipped_bit_passes():
    data = bytearray(encode_index(MANIFEST, TENSORS))
    for position in range(len(data)):
        for bit in range(8):
            data[position] ^= 1 << bit
            with pytest.raises(ActivationIndexError, match="overwrite=True"):
                decode_index(bytes(data))
            data[position] ^= 1 << bit
    assert decode_index(bytes(data)).complete


def test_no_truncated_or_extended_file_passes():
    data = encode_index(MANIFEST, TENSORS)
    for length in range(len(data)):
        with pytest.raises(ActivationIndexError):
            decode_index(data[:length])
    with pytest.raises(ActivationIndexError, match="checksum"):
        decode_index(data + b"\0")


def header(text):
    return len(text).to_bytes(8, "little") + text


def of_manifest(text):
    return safetensors.numpy.save(TENSORS, {"index": text})


HOSTILE = {
    "brackets": of_manifest("[" * 200_000),
    "digits": of_manifest('{"complete": true, "manifest": {"k": %s}}' % ("9" * 10_000)),
    "infinity": of_manifest('{"complete": true, "manifest": {"mean": Infinity}}'),
    "nan": of_manifest('{"complete": true, "manifest": {"mean": NaN}}'),
    "a name twice": of_manifest('{"complete": false, "complete": true, "manifest": {}}'),
    "complete is no bool": of_manifest('{"complete": 1, "manifest": {}}'),
    "the manifest is a list": of_manifest('{"complete": true, "manifest": []}'),
    "a list": of_manifest("[]"),
    "no manifest": safetensors.numpy.save(TENSORS),
    "header too long": b"\xff" * 8 + b"{}",
    "header longer than the file": (2**40).to_bytes(8, "little") + b"{}",
    "header of brackets": header(b"[" * 200_000),
    "header not JSON": header(b"hello"),
    "header a number": header(b"1" * 10_000),
    "tensors beyond the end": header(
        b'{"__metadata__":{"index":"{\\"complete\\":true,\\"manifest\\":{}}"},"a":{"dtype":"F64","shape":[9],"data_offsets":[0,72]}}'
    ),
    "a huge shape": header(
        b'{"__metadata__":{"index":"{\\"complete\\":true,\\"manifest\\":{}}"},"a":{"dtype":"F64","shape":[9999999999,9999999999],'
        b'"data_offsets":[0,0]}}'
    ),
    "nothing": b"",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_with_the_right_checksum_are_refused_in_words(name):
    with pytest.raises(ActivationIndexError, match="damaged activation index"):
        decode_index(sealed(HOSTILE[name]))


def test_other_versions_and_other_files_are_named(tmp_path):
    with pytest.raises(ActivationIndexError, match="has version 3 of the format"):
        decode_index(sealed(b"whatever version 3 has", b"deconvwidgets activation index 3\n"))
    for data in (b"", b"\0" * 100, b'{"format": "something else"}', safetensors.numpy.save(TENSORS)):
        (tmp_path / "a.index").write_bytes(data)
        with pytest.raises(ActivationIndexError, match=r"a\.index is not an activation index"):
            read_index(tmp_path / "a.index")
    with pytest.raises(ActivationIndexError, match="There is no activation index"):
        read_index(tmp_path / "b.index")
    with pytest.raises(ActivationIndexError, match=r"is a folder\. Give the path of a file in it"):
        read_index(tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(ActivationIndexError, match="as earlier versions of deconvwidgets saved"):
        read_index(tmp_path)


def test_values_that_json_cannot_have_are_refused():
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON"):
            encode_index({"mean": value}, {})
    with pytest.raises(TypeError):
        encode_index({"k": np.int64(9)}, {})


def test_a_manifest_that_no_reader_would_accept_is_not_written(monkeypatch):
    monkeypatch.setattr(index_file, "_MAX_HEADER", 1000)
    with pytest.raises(ActivationIndexError, match="see `skipped`"):
        encode_index({"skipped": ["name"] * 1000}, {})
