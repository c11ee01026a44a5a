"""Choose a few telling units of each layer of four models, which the LayerExplorer offers under "Start here".

Run it with `DECONVWIDGETS_DATA=folder python benchmarks/choose_start_units.py [--models alexnet ...]`; the folder holds Caltech-101 in
torchvision's layout. It writes deconvwidgets/instruments/layers/service/start_units.json: the same for the same input.

A unit is telling if its strongest photographs are of one class more often than chance would have it, and if it answers to few
photographs. Units whose strongest activations are equal are left out: a saturated unit ranks its photographs by their numbers only. So
are units of low selectivity. The score is the sum of

- class purity: minus the decimal logarithm of the probability that as many of the nine photographs, drawn at random, are of its most
  frequent class;
- the binary logarithm of its selectivity.

The units of a layer are taken by their scores, each with another most frequent class.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from math import comb, log2, log10
from pathlib import Path
from typing import Any

import numpy as np

import deconvwidgets as dw
from deconvwidgets.images.labels import labels_of
from deconvwidgets.index.cached import default_path

OUT = Path(__file__).resolve().parent.parent / "deconvwidgets" / "instruments" / "layers" / "service" / "start_units.json"
# The number of photographs, evenly spaced in the data set; None: all 8,677. The larger models are slow on a CPU.
MODELS = {"alexnet": None, "vgg16": 1000, "squeezenet1_1": None, "efficientnet_lite0": 2000}
UNITS = 4  # per layer
MIN_SELECTIVITY = 3.0


def surprise(count: int, of: int, share: float) -> float:
    """Return minus the decimal logarithm of the probability of at least `count` of `of` draws, each with probability `share`."""
    return -log10(sum(comb(of, n) * share**n * (1 - share) ** (of - n) for n in range(count, of + 1)))


def choose(index: dw.ActivationIndex, layer: str, shares: dict[int, float]) -> list[list[Any]]:
    """Return [unit, most frequent class or None, its photographs, all photographs, selectivity] of each chosen unit of a layer."""
    stats, labels = index.stats(layer), index.labels(layer)
    scored = []
    for unit in np.flatnonzero((stats.activation_rate > 0) & (stats.selectivity >= MIN_SELECTIVITY)).tolist():
        known, values = [label for label in labels[unit].tolist() if label >= 0], [one.value for one in index.top(layer, unit)]
        if known and len(set(values)) == len(values):
            label, count = Counter(known).most_common(1)[0]
            score = surprise(count, len(known), shares[label]) + log2(stats.selectivity[unit])
            scored.append((-score, unit, label, count, len(known)))
    chosen: dict[int, list[Any]] = {}
    for _, unit, label, count, known_count in sorted(scored):
        if label not in chosen and len(chosen) < UNITS:
            name = index.categories[label].replace("_", " ") if count > 1 else None
            chosen[label] = [unit, name, count, known_count, round(float(stats.selectivity[unit]), 1)]
    return list(chosen.values())


def choose_for_model(name: str, limit: int | None) -> dict[str, Any]:
    """Return the chosen units of all layers of a model. Its index is built, or loaded from the cache folder."""
    bundle, images = dw.load_model(name, weights="pinned"), dw.open_images("caltech101", limit=limit)
    index = dw.ActivationIndex.build(bundle, images, path=default_path(bundle, images))
    labels = Counter(labels_of(images).tolist())
    shares = {label: count / images.source_count for label, count in labels.items()}
    digests = dict(index.identity.layers)
    layers = {info.short_name: {"digest": digests[info.name], "units": choose(index, info.name, shares)} for info in index.layers}
    return {"images": images.name, "photographs": images.source_count, "layers": layers}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    chosen = json.loads(arguments.out.read_text("utf-8")) if arguments.out.exists() else {}
    for name in arguments.models:
        chosen[name] = choose_for_model(name, MODELS[name])
        print(name, sum(len(layer["units"]) for layer in chosen[name]["layers"].values()), "units", flush=True)
    arguments.out.write_text(encode({name: chosen[name] for name in MODELS if name in chosen}), encoding="utf-8")


def encode(chosen: dict[str, Any]) -> str:
    """Return JSON with one layer per line."""
    models = []
    for name, model in chosen.items():
        layers = ",\n".join(f"   {json.dumps(layer)}: {json.dumps(value, ensure_ascii=False)}" for layer, value in model["layers"].items())
        facts = f'"images": {json.dumps(model["images"])}, "photographs": {model["photographs"]}'
        models.append(f' {json.dumps(name)}: {{{facts}, "layers": {{\n{layers}\n  }}}}')
    return "{\n" + ",\n".join(models) + "\n}\n"


if __name__ == "__main__":
    main()
