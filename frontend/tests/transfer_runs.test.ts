import assert from "node:assert/strict";
import { test } from "node:test";
import { accuracyGains, confusedPairs, extremeClasses, orderClasses, pairAt } from "../src/classification/class_results.ts";
import { readResults, runVersion, shownRun } from "../src/transfer/run_results.ts";
import { unaligned } from "./fake_model.ts";
import { makeSummary } from "./fake_run.ts";

function makeResults({
  categories = ["ant", "bee 2", "bee 10", "cat"],
  accuracy = [1, 0.9, 0.5, Number.NaN],
  tests = [4, 10, 8, 0],
  confusion = [4, 0, 0, 0, 0, 9, 1, 0, 2, 1, 4, 1, 0, 0, 0, 0],
} = {}) {
  const buffers = [Float32Array.from(accuracy), Int32Array.from(tests), Int32Array.from(confusion)].map(unaligned);
  return readResults({ summary: makeSummary(), categories, skipped: [], has_confidences: true }, buffers);
}

test("a run is read from unaligned buffers", () => {
  const { accuracy, tests, confusion } = makeResults();
  assert.ok(Number.isNaN(accuracy[3]));
  assert.deepEqual([...tests], [4, 10, 8, 0]);
  assert.equal(confusion[4 + 2], 1);
});

test("the most confused pairs are sorted by share, then by number", () => {
  const pairs = confusedPairs(makeResults(), 10);
  assert.deepEqual(
    pairs.map(({ truth, prediction, count }) => [truth, prediction, count]),
    [
      [2, 0, 2],
      [2, 1, 1],
      [2, 3, 1],
      [1, 2, 1],
    ],
  );
  assert.equal(pairs[0]?.share, 0.25);
  assert.equal(confusedPairs(makeResults(), 2).length, 2);
  assert.deepEqual(
    confusedPairs(makeResults(), 5, 1).map(({ prediction }) => prediction),
    [2],
  );
  assert.deepEqual(pairAt(makeResults(), 3, 0), { truth: 3, prediction: 0, count: 0, share: 0 });
});

test("classes in order: those without tests last, numbers in names as numbers", () => {
  assert.deepEqual(orderClasses(makeResults(), "worst"), [2, 1, 0, 3]);
  assert.deepEqual(orderClasses(makeResults(), "best"), [0, 1, 2, 3]);
  assert.deepEqual(orderClasses(makeResults(), "name"), [0, 1, 2, 3]);
  assert.deepEqual(orderClasses(makeResults(), "size"), [1, 2, 0, 3]);
  const none = makeResults({ accuracy: [Number.NaN, Number.NaN, Number.NaN, Number.NaN] });
  assert.deepEqual(orderClasses(none, "worst"), [0, 1, 2, 3], "Number.there is no order of NaN, but one of names");
});

test("a class is among the best or the worst, and no class that was always classified correctly is among the worst", () => {
  const classified = (...accuracy: number[]) =>
    makeResults({
      categories: accuracy.map((_, at) => `class ${at}`),
      accuracy,
      tests: accuracy.map(() => 4),
      confusion: accuracy.flatMap(() => accuracy),
    });
  assert.deepEqual(extremeClasses(classified(1, 0.5, 1, 0.9, 1, 1, Number.NaN), 5), { worst: [1, 3], best: [0, 2, 4, 5] });
  assert.deepEqual(extremeClasses(classified(1, 1, 1), 5), { worst: [], best: [0, 1, 2] });
  assert.deepEqual(extremeClasses(classified(0.1, 0.2, 0.3), 5), { worst: [0], best: [2, 1] });
  assert.deepEqual(extremeClasses(classified(...Array.from({ length: 20 }, (_, at) => at / 20)), 2), { worst: [0, 1], best: [19, 18] });
  assert.deepEqual(extremeClasses(classified(Number.NaN), 5), { worst: [], best: [] });
});

test("classes whose accuracy differs between two runs", () => {
  const other = makeResults({ categories: ["bee 10", "zebra", "cat", "ant"], accuracy: [0.25, 0.1, 0.3, 1] });
  assert.deepEqual(accuracyGains(makeResults(), other), [
    { name: "bee 10", before: 0.25, after: 0.5, gain: 0.25 },
    { name: "ant", before: 1, after: 1, gain: 0 },
  ]);
});

test("the selected or the newest run is shown, and requested again after changes", () => {
  const [first, second] = [
    makeSummary({ run: 1, per_fold: [0.5], phase: "training" }),
    makeSummary({ run: 2, per_fold: [], phase: "waiting" }),
  ];
  const runs = [first, second];
  assert.equal(shownRun({ runs }, { run: null })?.run, 2);
  assert.equal(shownRun({ runs }, { run: 1 })?.run, 1);
  assert.equal(shownRun({ runs }, { run: 7 })?.run, 2);
  assert.equal(shownRun({ runs: [] }, { run: null }), null);
  assert.equal(shownRun(null, { run: null }), null);
  assert.notEqual(runVersion(first), runVersion({ ...first, per_fold: [0.5, 0.6] }));
  assert.notEqual(runVersion(first), runVersion({ ...first, phase: "done" }));
});
