import assert from "node:assert/strict";
import { test } from "node:test";
import { Arrangement } from "../src/layers/arrangement.ts";
import { figureName } from "../src/layers/figures.ts";
import { type Focus, keyAction } from "../src/layers/keyboard.ts";
import { moduleName, shownLayers } from "../src/layers/layer_list.ts";
import { findLayers } from "../src/layers/layer_search.ts";
import { mosaicKey } from "../src/layers/mosaic_store.ts";
import { isPinned, withoutPin } from "../src/layers/pins.ts";
import { toggleBookmark } from "../src/layers/suggestions.ts";
import { describeLayer } from "../src/layers/summary.ts";
import { describeEntry, describePrediction, describeUnit } from "../src/layers/unit_facts.ts";
import { intersection } from "../src/layers/unit_filter.ts";
import { describeDead } from "../src/layers/unit_legend.ts";
import { nearestUnit } from "../src/layers/unit_queries.ts";
import {
  classCounts,
  countDead,
  filterUnits,
  findLabels,
  isDead,
  isInactive,
  orderUnits,
  parseSearch,
  readTable,
  suggestClasses,
  unitStatistics,
} from "../src/layers/unit_table.ts";
import type { Column, Layer, LayerState, MosaicRequest, Overview } from "../src/layers/wire.ts";
import { formatDuration, formatNumber, formatPercent, formatProgress } from "../src/ui/format.ts";
import { isNotebookShortcut } from "../src/ui/keyboard.ts";
import { provenance, shortWarnings } from "../src/ui/provenance.ts";
import { sameState, toPython } from "../src/ui/state.ts";
import { unaligned } from "./fake_model.ts";

function makeTable() {
  const columns: Column[] = ["maximum", "mean", "std", "activation_rate", "selectivity"];
  const numbers = new Float32Array([5, 9, 0, 5, 1, 2, 0, 3, 1, 1, 0, 1, 0.5, 1, 0, 0.2, 4, Number.NaN, 0, 2]);
  const labels = new Int32Array([7, 7, 2, -1, 2, 3, -1, -1, -1, 3, 3, 3]);
  const categories = { 2: "bee", 3: "sea lion", 7: "sunflower" };
  const reply = { layer: "conv1", units: 4, k: 3, columns, categories, crops: null, start: [], stored: 3 };
  return readTable(reply, [numbers, labels, new Int32Array([1, 2, 3, -4])].map(unaligned));
}

function makeLayer(id: string, names: string[] = [id], convolution: string | null = null): Layer {
  const size = { channels: 256, height: 13, width: 13, receptive_field: null };
  return { id, name: names[0] ?? id, names, convolution, kind: "conv", ...size, dead: 0, changed: false };
}

test("a table is read from unaligned buffers", () => {
  const table = makeTable();
  assert.deepEqual([...table.columns.maximum], [5, 9, 0, 5]);
  assert.deepEqual([...table.labels.subarray(0, 3)], [7, 7, 2]);
  assert.deepEqual(
    [0, 1, 2, 3].map((unit) => isDead(table, unit)),
    [false, false, true, false],
  );
});

test("a unit that is always negative is inactive, and not dead", () => {
  const table = makeTable();
  table.columns.maximum[2] = -0.5;
  assert.deepEqual([isInactive(table, 2), isDead(table, 2), countDead(table)], [true, false, 0]);
  assert.equal(describeDead({ sort: "dead", layer: "conv5" }, table), "No unit of conv5 is dead: the weakest are first.");
  assert.equal(describeUnit(unitStatistics(table, 2), "9 images"), "negative in all 9 images");
});

test("sorting: ties by number, NaN last, dead units first", () => {
  const table = makeTable();
  assert.deepEqual(orderUnits(table, "strongest"), [1, 0, 3, 2]);
  assert.deepEqual(orderUnits(table, "mean"), [3, 1, 0, 2]);
  assert.deepEqual(orderUnits(table, "selectivity"), [0, 3, 2, 1]);
  assert.deepEqual(orderUnits(table, "dead"), [2, 0, 3, 1], "the dead, then the weakest");
  assert.equal(describeDead({ sort: "dead", layer: "conv5" }, table), "1 unit of conv5 is dead, then the weakest follow.");
  const alive = { ...table, columns: { ...table.columns, activation_rate: Float32Array.of(0.5, 0.9, 0.1, 0.2) } };
  assert.match(describeDead({ sort: "dead", layer: "conv5" }, alive), /No unit of conv5 is dead/);
  assert.deepEqual(orderUnits(table, "index"), [0, 1, 2, 3]);
});

test("pins belong to a model, a layer and a unit", () => {
  const pin = { model: "alexnet", layer: "conv5", unit: 3 };
  const pinned = [pin, { ...pin, model: "vgg16" }, { ...pin, layer: "conv4" }];
  const state = { pinned: pinned.slice(1) } as unknown as LayerState;
  assert.ok(isPinned(state, pin) && !isPinned(state, pin, "alexnet"), "the unit of another model is another unit");
  assert.deepEqual(withoutPin(pinned, pin), pinned.slice(1));
});

test("filtering by class: part of a name, whatever its case; a whole name alone", () => {
  const table = makeTable();
  const order = orderUnits(table, "strongest");
  assert.equal(findLabels(table, "  "), null);
  assert.equal(filterUnits(table, order, null), order);
  assert.deepEqual(filterUnits(table, order, findLabels(table, "SEA")), [1, 3]);
  assert.deepEqual(filterUnits(table, order, findLabels(table, "bee")), [1, 0]);
  assert.deepEqual([...(findLabels({ ...table, categories: { 1: "lion", 2: "sea lion" } }, "lion") ?? [])], [1]);
  assert.deepEqual(filterUnits(table, order, findLabels(table, "zebra")), []);
});

test("classes of the strongest activations and suggestions, most common first", () => {
  const table = makeTable();
  assert.deepEqual(
    classCounts(table, 0).map(({ name, count }) => [name, count]),
    [
      ["sunflower", 2],
      ["bee", 1],
    ],
  );
  assert.deepEqual(classCounts(table, 2), []);
  assert.deepEqual(suggestClasses(table), ["sea lion", "sunflower", "bee"]);
});

test("search: a number selects a unit, text filters", () => {
  for (const text of ["59", " 59 ", "#59", "unit 59", "Unit59"]) assert.deepEqual(parseSearch(text), { unit: 59 });
  assert.deepEqual(parseSearch("sea lion "), { className: "sea lion" });
  assert.deepEqual(parseSearch("7up"), { className: "7up" });
});

test("numbers as text", () => {
  assert.deepEqual([0, -0.001, 0.1234, 5.678, 24.94, 123.4, -3, NaN, null].map(formatNumber), [
    "0",
    "0.00",
    "0.12",
    "5.68",
    "24.9",
    "123",
    "-3.00",
    "–",
    "–",
  ]);
  assert.deepEqual([0, 0.0001, 0.004, 0.64, 0.99, 0.9962, 0.9996, 1].map(formatPercent), [
    "0%",
    "<0.1%",
    "0.4%",
    "64%",
    "99%",
    "99.6%",
    ">99.9%",
    "100%",
  ]);
  assert.deepEqual([0.2, 75, 300, 9000].map(formatDuration), ["1 s", "75 s", "5 min", "2.5 h"]);
  assert.equal(formatProgress({ done: 300, total: 1200, rate: 30 }, "crops"), "300 of 1,200 crops · 30.0 images/s · 30 s left");
  assert.equal(formatProgress(null, "crops"), "starting…");
  assert.match(describeUnit({ maximum: 0, mean: 0, std: 0, selectivity: 0, activation_rate: 0 }, "40 photographs"), /dead.*40 photographs/);
  assert.equal(describeEntry({ label: null, source: "a.jpg", prediction: "bee", probability: 0.87 }), "a.jpg · predicted bee 87%");
});

test("the header states the number of photographs and the classifier", () => {
  const overview = {
    version: 1,
    index_ready: true,
    model: "net",
    trained: true,
    weights: "w",
    classifier: null,
    quantity: null,
    images: "default",
    device: "cpu",
    notes: [],
    units: [],
    skipped: [],
    k: 9,
    photographs: 28,
    crops: 252,
    layers: [],
    opened: [],
  };
  const layer = makeLayer("conv5");
  assert.equal(describeLayer(overview, layer), "conv5 · top 9 of 28 photographs (252 crops)");
  assert.match(describeLayer({ ...overview, crops: 28 }, undefined), /^top 9 of 28 photographs$/);
  assert.deepEqual(shortWarnings({ ...overview, trained: true, classifier: "ImageNet" }), []);
  const skipped = [{ name: "a.jpg", reason: "it is truncated" }];
  assert.deepEqual(shortWarnings({ ...overview, trained: false, skipped }), [
    "untrained: random weights",
    "no classifier",
    "1 file skipped",
  ]);
  assert.deepEqual(provenance({ ...overview, classifier: "ImageNet" })[1], ["Classes", "ImageNet"]);
  const metres = { kind: "value", task: "regression", activation: "none", unit: "m" } as const;
  assert.deepEqual(provenance({ ...overview, classifier: "depth", quantity: metres })[1], ["Predicts", "depth"]);
});

test("the state as Python code, and the name of a figure", () => {
  assert.equal(
    toPython({ layer: "conv5", unit: null, pinned: { unit: 3 }, on: true }),
    '{"layer": "conv5", "unit": None, "pinned": {"unit": 3}, "on": True}',
  );
  assert.equal(figureName("my net/1", { layer: "a.b", unit: 5 }, "unit.png"), "my_net_1-a_b-unit5.png");
  assert.ok(sameState({ a: 1, b: { c: [2] } }, { b: { c: [2] }, a: 1 }));
  assert.ok(!sameState({ a: 1 }, { a: 1, b: null }));
});

test("keys depend on the focus", () => {
  assert.deepEqual(keyAction("ArrowDown", "grid"), { type: "moveUnit", key: "ArrowDown" });
  assert.deepEqual(keyAction("ArrowDown", "mosaics"), { type: "moveRank", key: "ArrowDown" });
  for (const key of ["ArrowDown", "1", "p", "/"]) {
    assert.equal(keyAction(key, "search"), null);
    assert.equal(keyAction(key, "control"), null);
  }
  assert.deepEqual(keyAction("3", "other"), { type: "layer", index: 2 });
  assert.equal(keyAction("Enter", "grid")?.type, "open");
  assert.equal(keyAction("Enter", "other"), null, "a button is pressed with it");
  assert.deepEqual(
    (["search", "mosaics", "grid"] satisfies Focus[]).map((focus) => keyAction("Escape", focus)?.type),
    ["clearSearch", "grid", undefined],
  );
  assert.equal(keyAction("d", "grid"), null);
  const plain = { ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, key: "d" };
  assert.equal(isNotebookShortcut(plain), false);
  assert.equal(isNotebookShortcut({ ...plain, ctrlKey: true, key: "s" }), true);
  assert.equal(isNotebookShortcut({ ...plain, shiftKey: true, key: "Enter" }), true);
});

test("image patches are cached once for all rules and contrasts", () => {
  const request: MosaicRequest = { layer: "conv1", unit: 1, rule: "deconvnet", contrast: "tile", tile: 40 };
  assert.equal(mosaicKey(request, "patches"), mosaicKey({ ...request, rule: "guided", contrast: "shared" }, "patches"));
  assert.notEqual(mosaicKey(request, "projections"), mosaicKey({ ...request, rule: "guided" }, "projections"));
  assert.notEqual(mosaicKey(request, "projections"), mosaicKey({ ...request, contrast: "shared" }, "projections"));
  assert.notEqual(mosaicKey(request, "patches"), mosaicKey(request, "projections"));
});

test("layers are found by every name, and opened ones stand in the order of execution", () => {
  const conv2 = makeLayer("conv2", ["layer1.0.relu"], "layer1.0.conv1");
  const conv3 = makeLayer("conv3", ["layer1.0.bn2"], "layer1.0.conv2");
  const block = makeLayer("layer1.0", ["layer1.0", "layer1.0.relu#2"]);
  assert.deepEqual([conv3, block, makeLayer("features.1")].map(moduleName), ["layer1.0.conv2", "layer1.0.relu#2", ""]);
  assert.deepEqual(findLayers([conv2, conv3, block], " CONV1 "), [conv2]);
  assert.deepEqual(findLayers([conv2, conv3, block], "relu#2"), [block]);
  assert.deepEqual(findLayers([conv2, conv3], ""), [conv2, conv3]);
  const overview = { layers: [conv2, makeLayer("conv4")], opened: [block] } as unknown as Overview;
  const all = [conv2, conv3, block, makeLayer("conv4")];
  assert.deepEqual(
    shownLayers(overview, all).map(({ id }) => id),
    ["conv2", "layer1.0", "conv4"],
  );
});

test("while the index is built, units stay where they are; they are sorted when it is complete", () => {
  const state = { sort: "strongest", filter: "" } as LayerState;
  const arrangement = new Arrangement();
  const table = { ...makeTable(), crops: 10 };
  arrangement.update(table, state);
  const first = arrangement.units;
  assert.deepEqual(first, [1, 0, 3, 2]);
  const columns = { ...table.columns, maximum: new Float32Array([5, 9, 20, 5]) };
  arrangement.update({ ...table, columns, crops: 20 }, state);
  assert.equal(arrangement.units, first);
  arrangement.update({ ...table, columns, crops: 20 }, { ...state, sort: "index" });
  assert.deepEqual(arrangement.units, [0, 1, 2, 3], "an action of the user sorts them");
  arrangement.update({ ...table, columns, crops: null }, state);
  assert.deepEqual(arrangement.units, [2, 1, 0, 3]);
  const complete = arrangement.units;
  arrangement.update({ ...table, columns, crops: null }, state);
  assert.equal(arrangement.units, complete, "the same order is the same array: the grid keeps its place");
});

test("units are sorted by columns of the index, and left out by a condition and a selection", () => {
  const table = makeTable();
  const [peaks, purity] = [new Float32Array([1, 3, 1, 2]), new Float32Array([0.5, Number.NaN, Number.NaN, 1])];
  const [nearest, correlation] = [new Float32Array([3, -1, -1, 0]), new Float32Array([0.97, Number.NaN, Number.NaN, 0.97])];
  const columns = { peaks, purity, nearest, correlation, names: [], samples: 9 };
  assert.deepEqual(orderUnits(table, "peaks", { columns }), [1, 3, 0, 2]);
  assert.deepEqual(orderUnits(table, "purity", { columns }), [3, 0, 1, 2], "those without labels are last");
  assert.deepEqual(nearestUnit(columns, 0), { unit: 3, correlation: Math.fround(0.97) });
  assert.equal(nearestUnit(columns, 0, 0.98), null);
  assert.equal(nearestUnit(columns, 1, -1), null);
  const arrangement = new Arrangement();
  const only = intersection(new Set([0, 1, 3]), new Set([3, 0, 2]));
  arrangement.update(table, { sort: "peaks", filter: "" } as LayerState, { columns }, only);
  assert.deepEqual(arrangement.units, [3, 0]);
  assert.equal(intersection(null, null), null);
});

test("a bookmark is added once and removed", () => {
  assert.deepEqual(toggleBookmark([["conv5", 3]], ["conv1", 3]), [
    ["conv5", 3],
    ["conv1", 3],
  ]);
  assert.deepEqual(
    toggleBookmark(
      [
        ["conv5", 3],
        ["conv1", 3],
      ],
      ["conv5", 3],
    ),
    [["conv1", 3]],
  );
});

test("a prediction is correct only where there are both a class and a label", () => {
  assert.equal(describePrediction({ label: "emu", prediction: "emu" }), "✓ correct");
  assert.equal(describePrediction({ label: "emu", prediction: "ibis" }), "ibis");
  assert.equal(describePrediction({ label: null, prediction: "ibis" }), "ibis");
  assert.equal(describePrediction({ label: null, prediction: null }), "", "a file without a label, and a model without classes");
});
