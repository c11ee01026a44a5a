"""parse_json: what it reads, and what it refuses that json.loads accepts or fails on in its own ways."""

import json

import pytest

from deconvwidgets.strict_json import MAX_DEPTH, StrictJsonError, parse_json, read_json

HOSTILE = {
    "brackets": ("[" * 200_000, "levels"),
    "closed brackets": ("[" * 200_000 + "]" * 200_000, "levels"),
    "objects": ('{"a":' * 200_000, "levels"),
    "digits": ("1" * 10_000, "10,000 characters"),
    "digits of a fraction": ("0." + "1" * 10_000, "characters"),
    "infinity": ("[Infinity]", "Infinity"),
    "minus infinity": ("[-Infinity]", "Infinity"),
    "nan": ('{"a": NaN}', "NaN"),
    "beyond float64": ("1e999", "too large"),
    "a name twice": ('{"stride": 4, "stride": 8}', "'stride' occurs twice"),
    "a long name twice": ('{"a": 4, "a": 8}'.replace("a", "a" * 9999), "twice"),
    "not UTF-8": (b"\xff\xfe\x00", "UTF-8"),
    "cut off": ('{"a": [1, 2', "not JSON"),
    "two values": ("{} {}", "not JSON"),
    "empty": ("", "not JSON"),
    "too large": (b" " * ((64 << 20) + 1), "bytes"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_are_refused_in_words(name):
    data, message = HOSTILE[name]
    with pytest.raises(StrictJsonError, match=message) as caught:
        parse_json(data)
    assert len(str(caught.value)) < 200


def test_it_reads_what_json_writes(tmp_path):
    value = {"a": [1, -2, 2.5, 1e-300, True, None], "brackets in a string": '[[{{\\"' * 1000, "\ud800 é": {}, "big": 2**64}
    (tmp_path / "a.json").write_text(json.dumps(value))
    assert read_json(tmp_path / "a.json") == value
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert json.dumps(parse_json(deep)) == deep
