import assert from "node:assert/strict";
import { test } from "node:test";

import { confusedPairs, extremes, gains, orderClasses, pairAt, readRun, runVersion, shownRun } from "../src/transfer/run_results.ts";

/** As it comes over the wire: nothing promises that a buffer starts at a multiple of four bytes. */
function unaligned(array) {
  const bytes = new Uint8Array(array.byteLength + 1);
  bytes.set(new Uint8Array(array.buffer), 1);
  return new DataView(bytes.buffer, 1);
}

function view({ categories = ["ant", "bee 2", "bee 10", "cat"], accuracy = [1, 0.9, 0.5, NaN], tests = [4, 10, 8, 0], confusion } = {}) {
  const cells = confusion ?? [4, 0, 0, 0, 0, 9, 1, 0, 2, 1, 4, 1, 0, 0, 0, 0];
  const buffers = [Float32Array.from(accuracy), Int32Array.from(tests), Int32Array.from(cells)].map(unaligned);
  return readRun({ summary: { run: 1 }, categories, skipped: [], has_confidences: true }, buffers);
}

test("a run is read from unaligned buffers", () => {
  const { accuracy, tests, confusion } = view();
  assert.ok(Number.isNaN(accuracy[3]));
  assert.deepEqual([...tests], [4, 10, 8, 0]);
  assert.equal(confusion[4 + 2], 1);
});

test("the most confused pairs: by share, then by number; the diagonal is none", () => {
  const pairs = confusedPairs(view(), 10);
  assert.deepEqual(
    pairs.map(({ truth, prediction, count }) => [truth, prediction, count]),
    [
      [2, 0, 2],
      [2, 1, 1],
      [2, 3, 1],
      [1, 2, 1],
    ],
  );
  assert.equal(pairs[0].share, 0.25);
  assert.equal(confusedPairs(view(), 2).length, 2);
  assert.deepEqual(
    confusedPairs(view(), 5, 1).map(({ prediction }) => prediction),
    [2],
  );
  assert.deepEqual(pairAt(view(), 3, 0), { truth: 3, prediction: 0, count: 0, share: 0 });
});

test("classes in order: those without tests last, numbers in names as numbers", () => {
  assert.deepEqual(orderClasses(view(), "worst"), [2, 1, 0, 3]);
  assert.deepEqual(orderClasses(view(), "best"), [0, 1, 2, 3]);
  assert.deepEqual(orderClasses(view(), "name"), [0, 1, 2, 3]);
  assert.deepEqual(orderClasses(view(), "size"), [1, 2, 0, 3]);
  const none = view({ accuracy: [NaN, NaN, NaN, NaN] });
  assert.deepEqual(orderClasses(none, "worst"), [0, 1, 2, 3], "NaN is no order, names are");
});

test("a class is among the best or the worst, and no class that was always told is among the worst", () => {
  const told = (...accuracy) =>
    view({
      categories: accuracy.map((_, at) => `class ${at}`),
      accuracy,
      tests: accuracy.map(() => 4),
      confusion: accuracy.flatMap(() => accuracy),
    });
  assert.deepEqual(extremes(told(1, 0.5, 1, 0.9, 1, 1, NaN), 5), { worst: [1, 3], best: [0, 2, 4, 5] });
  assert.deepEqual(extremes(told(1, 1, 1), 5), { worst: [], best: [0, 1, 2] });
  assert.deepEqual(extremes(told(0.1, 0.2, 0.3), 5), { worst: [0], best: [2, 1] });
  assert.deepEqual(extremes(told(...Array.from({ length: 20 }, (_, at) => at / 20)), 2), { worst: [0, 1], best: [19, 18] });
  assert.deepEqual(extremes(told(NaN), 5), { worst: [], best: [] });
});

test("what another run gained and lost, by the classes' names", () => {
  const other = view({ categories: ["bee 10", "zebra", "cat", "ant"], accuracy: [0.25, 0.1, 0.3, 1] });
  assert.deepEqual(gains(view(), other), [
    { name: "bee 10", before: 0.25, after: 0.5, gain: 0.25 },
    { name: "ant", before: 1, after: 1, gain: 0 },
  ]);
});

test("the shown run: the asked one, else the newest; asked again when something is new", () => {
  const runs = [
    { run: 1, per_fold: [0.5], phase: "training" },
    { run: 2, per_fold: [], phase: "waiting" },
  ];
  assert.equal(shownRun({ runs }, { run: null }).run, 2);
  assert.equal(shownRun({ runs }, { run: 1 }).run, 1);
  assert.equal(shownRun({ runs }, { run: 7 }).run, 2);
  assert.equal(shownRun({ runs: [] }, { run: null }), null);
  assert.equal(shownRun(null, {}), null);
  assert.notEqual(runVersion(runs[0]), runVersion({ ...runs[0], per_fold: [0.5, 0.6] }));
  assert.notEqual(runVersion(runs[0]), runVersion({ ...runs[0], phase: "done" }));
});
