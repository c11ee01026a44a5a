import assert from "node:assert/strict";
import { test } from "node:test";

import { classCounts, filterUnits, isDead, labelsNamed, orderUnits, readSearch, readTable, suggestions } from "../src/layers/unit_table.ts";
import { entryWords, unitWords } from "../src/layers/unit_facts.ts";
import { duration, number, percent, progressWords } from "../src/ui/format.ts";
import { figureName, sameState, toPython } from "../src/ui/export.ts";
import { originWords, titleWords } from "../src/layers/header.ts";
import { isForLab, meaning } from "../src/ui/keyboard.ts";
import { mosaicKey } from "../src/kernel/bitmap_cache.ts";

/** As the kernel sends it: buffers that begin anywhere in a message. */
function sendTable() {
  const columns = ["maximum", "mean", "std", "fires", "selectivity"];
  const numbers = new Float32Array([5, 9, 0, 5, 1, 2, 0, 3, 1, 1, 0, 1, 0.5, 1, 0, 0.2, 4, NaN, 0, 2]);
  const labels = new Int32Array([7, 7, 2, -1, 2, 3, -1, -1, -1, 3, 3, 3]);
  const views = [numbers, labels].map((array) => {
    const whole = new Uint8Array(array.byteLength + 3);
    whole.set(new Uint8Array(array.buffer), 3);
    return new DataView(whole.buffer, 3);
  });
  return readTable({ layer: "conv1", units: 4, k: 3, columns, categories: { 2: "bee", 3: "sea lion", 7: "sunflower" } }, views);
}

test("a table is read from unaligned buffers", () => {
  const table = sendTable();
  assert.deepEqual([...table.columns.maximum], [5, 9, 0, 5]);
  assert.deepEqual([...table.labels.subarray(0, 3)], [7, 7, 2]);
  assert.deepEqual(
    [0, 1, 2, 3].map((unit) => isDead(table, unit)),
    [false, false, true, false],
  );
});

test("sorting: ties by number, NaN last, dead first", () => {
  const table = sendTable();
  assert.deepEqual(orderUnits(table, "strongest"), [1, 0, 3, 2]);
  assert.deepEqual(orderUnits(table, "mean"), [3, 1, 0, 2]);
  assert.deepEqual(orderUnits(table, "selectivity"), [0, 3, 2, 1]);
  assert.deepEqual(orderUnits(table, "dead"), [2, 3, 0, 1]);
  assert.deepEqual(orderUnits(table, "index"), [0, 1, 2, 3]);
});

test("filtering by class: part of a name, whatever its case; a whole name alone", () => {
  const table = sendTable();
  const order = orderUnits(table, "strongest");
  assert.equal(labelsNamed(table, "  "), null);
  assert.equal(filterUnits(table, order, null), order);
  assert.deepEqual(filterUnits(table, order, labelsNamed(table, "SEA")), [1, 3]);
  assert.deepEqual(filterUnits(table, order, labelsNamed(table, "bee")), [1, 0]);
  assert.deepEqual([...labelsNamed({ ...table, categories: { 1: "lion", 2: "sea lion" } }, "lion")], [1]);
  assert.deepEqual(filterUnits(table, order, labelsNamed(table, "zebra")), []);
});

test("classes among the nine and suggestions, commonest first", () => {
  const table = sendTable();
  assert.deepEqual(
    classCounts(table, 0).map(({ name, count }) => [name, count]),
    [
      ["sunflower", 2],
      ["bee", 1],
    ],
  );
  assert.deepEqual(classCounts(table, 2), []);
  assert.deepEqual(suggestions(table), ["sea lion", "sunflower", "bee"]);
});

test("the search box: a number jumps, words filter", () => {
  for (const text of ["59", " 59 ", "#59", "unit 59", "Unit59"]) assert.deepEqual(readSearch(text), { unit: 59 });
  assert.deepEqual(readSearch("sea lion "), { words: "sea lion" });
  assert.deepEqual(readSearch("7up"), { words: "7up" });
});

test("numbers in words", () => {
  assert.deepEqual([0, 0.1234, 5.678, 24.94, 123.4, -3, NaN, null].map(number), ["0", "0.12", "5.68", "24.9", "123", "-3.00", "–", "–"]);
  assert.deepEqual([0, 0.0001, 0.004, 0.64, 0.99, 0.9962, 0.9996, 1].map(percent), [
    "0 %",
    "<0.1 %",
    "0.4 %",
    "64 %",
    "99 %",
    "99.6 %",
    ">99.9 %",
    "100 %",
  ]);
  assert.deepEqual([0.2, 75, 300, 9000].map(duration), ["1 s", "75 s", "5 min", "2.5 h"]);
  assert.equal(progressWords({ done: 300, total: 1200, rate: 30 }), "300 of 1,200 views · 30.0 images/s · 30 s left");
  assert.equal(progressWords(null), "about to begin");
  assert.match(unitWords({ maximum: 0, mean: 0, selectivity: 0, fires: 0 }, "40 photographs"), /dead.*40 photographs/);
  assert.equal(entryWords({ label: null, source: "a.jpg", prediction: "bee", probability: 0.87 }), "a.jpg · seen as bee 87 %");
});

test("every view says out of how many photographs, and whose classes", () => {
  const overview = { k: 9, photographs: 28, views: 252, weights: "w", classifier: null, images: "default", skipped: [], device: "cpu" };
  assert.equal(
    titleWords(overview, { id: "conv5", channels: 256, dead: 0 }),
    "conv5 · 256 units, 0 dead · strongest 9 of 28 photographs (252 crops)",
  );
  assert.match(titleWords({ ...overview, views: 28 }, null), /^strongest 9 of 28 photographs$/);
  assert.match(originWords(overview), /no classifier/);
  assert.match(originWords({ ...overview, classifier: "ImageNet" }), /classes: ImageNet/);
});

test("a state as Python writes it, and a figure's name", () => {
  assert.equal(
    toPython({ layer: "conv5", unit: null, pinned: { unit: 3 }, on: true }),
    '{"layer": "conv5", "unit": None, "pinned": {"unit": 3}, "on": True}',
  );
  assert.equal(figureName("my net/1", { layer: "a.b", unit: 5 }, "unit.png"), "my_net_1-a.b-unit5.png");
  assert.ok(sameState({ a: 1, b: { c: [2] } }, { b: { c: [2] }, a: 1 }));
  assert.ok(!sameState({ a: 1 }, { a: 1, b: null }));
});

test("keys: ours where the focus is right, nobody else's", () => {
  assert.deepEqual(meaning("ArrowDown", "grid"), { act: "moveUnit", key: "ArrowDown" });
  assert.deepEqual(meaning("ArrowDown", "nine"), { act: "moveRank", key: "ArrowDown" });
  for (const key of ["ArrowDown", "1", "p", "/"]) {
    assert.equal(meaning(key, "search"), null);
    assert.equal(meaning(key, "control"), null);
  }
  assert.deepEqual(meaning("3", "elsewhere"), { act: "layer", index: 2 });
  assert.equal(meaning("Enter", "grid").act, "open");
  assert.equal(meaning("Enter", "elsewhere"), null, "a button is pressed with it");
  assert.deepEqual(
    ["search", "nine", "grid"].map((where) => meaning("Escape", where).act),
    ["endSearch", "grid", "leave"],
  );
  assert.equal(meaning("d", "grid"), null);
  const plain = { ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, key: "d" };
  assert.equal(isForLab(plain), false);
  assert.equal(isForLab({ ...plain, ctrlKey: true, key: "s" }), true);
  assert.equal(isForLab({ ...plain, shiftKey: true, key: "Enter" }), true);
});

test("patches are kept once for every rule and contrast", () => {
  const what = { layer: "conv1", unit: 1, rule: "deconvnet", contrast: "tile", tile: 40 };
  assert.equal(mosaicKey(what, "patches"), mosaicKey({ ...what, rule: "guided", contrast: "shared" }, "patches"));
  assert.notEqual(mosaicKey(what, "projections"), mosaicKey({ ...what, rule: "guided" }, "projections"));
  assert.notEqual(mosaicKey(what, "projections"), mosaicKey({ ...what, contrast: "shared" }, "projections"));
  assert.notEqual(mosaicKey(what, "patches"), mosaicKey(what, "projections"));
});
