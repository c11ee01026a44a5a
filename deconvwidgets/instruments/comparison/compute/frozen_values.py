"""Frozen units as plain values of JSON, and read from those of a file that anybody may have written: checked, or refused."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconvwidgets.arguments import describe
from deconvwidgets.index.plain_values import listed, pair, text, whole
from deconvwidgets.instruments.comparison.compute.packed_arrays import pack_array, quantised, restored, unpack_array
from deconvwidgets.instruments.comparison.frozen_records import (
    DESCRIPTOR_SIDE,
    FrozenLayer,
    FrozenUnits,
    TopPlaces,
    UnitStatistics,
)
from deconvwidgets.records.layers import LayerInfo

_PLACES = ("sources", "numbers", "rows", "columns")
_STATISTICS = ("maximum", "mean", "std", "share_active")
_RULES = ("deconvnet", "extended")
_MAX_PICTURE = 1 << 18  # bytes
_MAX_UNITS = 1 << 20
_TEXTS = ("package", "model", "weights", "transform", "image_set", "crops")


def content_of(frozen: FrozenUnits) -> dict[str, Any]:
    """Return the content of the file."""
    return {
        **{name: getattr(frozen, name) for name in _TEXTS},
        "trained": frozen.trained,
        "input_size": list(frozen.input_size),
        "channels": list(frozen.channels),
        "photographs": {"names": list(map(_printable, frozen.names)), "contents": pack_array(frozen.contents)},
        "sample": {
            "count": len(frozen.sample_sources),
            "sources": pack_array(frozen.sample_sources),
            "numbers": pack_array(frozen.sample_numbers),
        },
        "kept": {"k": frozen.k, "samples": frozen.samples, "seed": frozen.seed, "projections": frozen.projections},
        "layers": [_layer_content(layer) for layer in frozen.layers],
    }


def units_of(content: dict[str, Any]) -> FrozenUnits:
    """Return the frozen units of a file's content. Raises ValueError, KeyError or TypeError for an impossible one."""
    photographs, sample, kept = content["photographs"], content["sample"], content["kept"]
    names = tuple(text(name) for name in listed(photographs["names"]))
    count = whole(sample["count"])
    channels, height, width = (whole(size, 1, 100_000) for size in listed(content["input_size"]))
    frozen = FrozenUnits(
        **{name: text(content[name]) for name in _TEXTS},
        trained=_flag(content["trained"]),
        input_size=(channels, height, width),
        channels=tuple(whole(channel, 0, channels - 1) for channel in listed(content["channels"])),
        names=names,
        contents=unpack_array(photographs["contents"], "uint64", (len(names),)),
        sample_sources=unpack_array(sample["sources"], "int64", (count,)),
        sample_numbers=unpack_array(sample["numbers"], "int64", (count,)),
        k=whole(kept["k"], 1, 1 << 20),
        samples=whole(kept["samples"], 1, 1 << 20),
        seed=whole(kept["seed"], 0, 2**53),
        projections=whole(kept["projections"], 0, 64),
        layers=(),
    )
    if len(frozen.channels) not in (1, 3):
        raise ValueError("the channels are neither one nor three")
    _check_sources("the sample", frozen.sample_sources, frozen.sample_numbers, len(names), missing=False)
    return _with_layers(frozen, [_layer_of(entry, frozen) for entry in listed(content["layers"])])


def _with_layers(frozen: FrozenUnits, layers: Sequence[FrozenLayer]) -> FrozenUnits:
    names = [layer.info.name for layer in layers]
    if not names or len(set(names)) < len(names):
        raise ValueError("there are no layers, or two of the same name")
    return replace(frozen, layers=tuple(layers))


def _layer_content(layer: FrozenLayer) -> dict[str, Any]:
    info, (codes, low, step) = layer.info, quantised(layer.values)
    fields = ("name", "alias", "kind", "channels", "height", "width")
    geometry = {
        name: None if getattr(info, name) is None else list(getattr(info, name)) for name in ("receptive_field", "stride", "offset")
    }
    return {
        **{name: getattr(info, name) for name in fields},
        **geometry,
        "digest": layer.digest,
        "values": {"codes": pack_array(codes), "low": pack_array(low), "step": pack_array(step)},
        "top": {
            **{name: pack_array(getattr(layer.top, name).astype(np.int32)) for name in _PLACES},
            "values": pack_array(layer.top.values),
        },
        "statistics": {name: pack_array(getattr(layer.statistics, name)) for name in _STATISTICS},
        "rule": layer.rule,
        "descriptors": pack_array(layer.descriptors),
        "pictures": [base64.b64encode(picture).decode("ascii") for picture in layer.pictures],
    }


def _layer_of(entry: Any, frozen: FrozenUnits) -> FrozenLayer:
    info = _info_of(entry)
    units, samples, k = info.channels, len(frozen.sample_sources), frozen.k
    values = {name: unpack_array(entry["values"][name], "float32", (units,)) for name in ("low", "step")}
    codes = unpack_array(entry["values"]["codes"], "uint8", (samples, units))
    _check_finite(f"the activations of {info.name}", *values.values())
    places = {name: unpack_array(entry["top"][name], "int32", (units, k)).astype(np.int64) for name in _PLACES}
    top = TopPlaces(**places, values=unpack_array(entry["top"]["values"], "float32", (units, k)))
    _check_top(info, top, len(frozen.names))
    statistics = UnitStatistics(**{name: unpack_array(entry["statistics"][name], "float32", (units,)) for name in _STATISTICS})
    _check_finite(f"the statistics of {info.name}", *(getattr(statistics, name) for name in _STATISTICS))
    shown, rule = len(frozen.channels), entry["rule"]
    projections = frozen.projections if rule is not None else 0
    if rule is not None and rule not in _RULES:
        raise ValueError(f"{describe(rule)} is no rule of projections")
    shape = (units, projections, shown, DESCRIPTOR_SIDE, DESCRIPTOR_SIDE)
    return FrozenLayer(
        info=info,
        digest=text(entry["digest"]),
        values=restored(codes, values["low"], values["step"]),
        max_error=(values["step"] / 2).astype(np.float32),
        top=top,
        statistics=statistics,
        rule=rule,
        descriptors=unpack_array(entry["descriptors"], "int8", shape),
        pictures=_pictures_of(entry["pictures"], units),
    )


def _info_of(entry: Any) -> LayerInfo:
    if not isinstance(entry, dict):
        raise ValueError(f"{describe(entry)} is not a layer")
    return LayerInfo(
        name=text(entry["name"]),
        alias=None if entry["alias"] is None else text(entry["alias"]),
        kind=text(entry["kind"]),
        channels=whole(entry["channels"], 1, _MAX_UNITS),
        height=whole(entry["height"], 1),
        width=whole(entry["width"], 1),
        receptive_field=_pair_or_none(entry["receptive_field"]),
        stride=_pair_or_none(entry["stride"]),
        offset=_pair_or_none(entry["offset"]),
    )


def _pair_or_none(value: Any) -> tuple[int, int] | None:
    return None if value is None else pair(value, -(2**31), 2**31 - 1)


def _pictures_of(value: Any, units: int) -> tuple[bytes, ...]:
    """Return the pictures of the units. They are decoded only where they are shown."""
    encoded = listed(value)
    if len(encoded) not in (0, units):
        raise ValueError(f"there are {len(encoded)} pictures of {units} units")
    try:
        pictures = tuple(base64.b64decode(text(picture), validate=True) for picture in encoded)
    except binascii.Error as error:
        raise ValueError(f"a picture is damaged ({error})") from error
    if any(len(picture) > _MAX_PICTURE or (picture and (picture[:4], picture[8:12]) != (b"RIFF", b"WEBP")) for picture in pictures):
        raise ValueError(f"a picture is no WebP, or has more than {_MAX_PICTURE:,} bytes")
    return pictures


def _check_top(info: LayerInfo, top: TopPlaces, photographs: int) -> None:
    name = f"the strongest activations of {info.name}"
    _check_sources(name, top.sources, top.numbers, photographs, missing=True)
    present = top.sources >= 0
    inside = (top.rows >= 0) & (top.rows < info.height) & (top.columns >= 0) & (top.columns < info.width)
    if not np.array_equal(present, np.isfinite(top.values)) or not inside[present].all():
        raise ValueError(f"{name} have impossible values or positions")
    if (present[:, 1:] & ~present[:, :-1]).any():
        raise ValueError(f"{name} have gaps")


def _check_sources(name: str, sources: NDArray[np.int64], numbers: NDArray[np.int64], photographs: int, missing: bool) -> None:
    if (sources >= photographs).any() or (sources < (-1 if missing else 0)).any() or (numbers[sources >= 0] < 0).any():
        raise ValueError(f"{name} is of photographs that the file does not list")


def _check_finite(name: str, *arrays: NDArray[np.float32]) -> None:
    if not all(np.isfinite(array).all() for array in arrays):
        raise ValueError(f"{name} are not finite")


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{describe(value)} is neither true nor false")
    return value


def _printable(name: str) -> str:
    """Return a name that UTF-8 can hold: file names may have undecodable bytes."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
