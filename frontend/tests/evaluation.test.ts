import assert from "node:assert/strict";
import { test } from "node:test";
import { orderClasses, pairAt } from "../src/classification/class_results.ts";
import { changedClasses, describeChange } from "../src/evaluation/changes.ts";
import { classScores, groupCounts } from "../src/evaluation/multilabel_view.ts";
import { orderMatches, withNames } from "../src/evaluation/names.ts";
import { column } from "../src/evaluation/regression_view.ts";
import { describeCalibration } from "../src/evaluation/reliability.ts";
import { comparedRun, readResults } from "../src/evaluation/results.ts";
import { roundValues, valueRange } from "../src/evaluation/scatter.ts";
import { parseLimit } from "../src/evaluation/setup.ts";
import { countsAt, describeMatches, describePhase } from "../src/evaluation/texts.ts";
import type { ClassificationReply, ClassMatch, Comparison, RunSummary } from "../src/evaluation/wire.ts";
import { unaligned } from "./fake_model.ts";

function makeRun(changes: Partial<RunSummary> = {}): RunSummary {
  return {
    run: 1,
    phase: "done",
    dataset: "Caltech-101",
    model: "alexnet",
    classifier: "101 classes",
    task: "classification",
    photographs: 10,
    total: 10,
    score: 0.5,
    score_name: "accuracy",
    seconds: 3,
    from_cache: false,
    progress: null,
    problem: null,
    current: true,
    ...changes,
  };
}

const RELIABILITY = { edges: [0, 0.5, 1], counts: [0, 10], confidences: [null, 0.9], accuracies: [null, 0.6], expected_error: 0.3 };
const COMMON = { summary: makeRun(), notes: [], skipped: [], digests: [] };
const SCORES = { accuracy: 0.6, top5: null, class_accuracy: 0.6, log_loss: 1, brier: 0.5, reliability: RELIABILITY };

const OTHERS: [string, number][][] = [
  [["wasp", 1]],
  [
    ["crab", 2],
    ["fly", 1],
    ["moth", 1],
    ["wasp", 1],
  ],
];

function readClasses(confusion: number[]) {
  const reply: ClassificationReply = { ...COMMON, ...SCORES, task: "classification", categories: ["ant", "bee"], others: OTHERS };
  const results = readResults(reply, [Float32Array.of(0.5, 0.75), Int32Array.of(4, 4), Int32Array.from(confusion)].map(unaligned));
  assert.equal(results.task, "classification");
  return results as Extract<typeof results, { task: "classification" }>;
}

test("predictions of other classes are a column, whose class has no photographs and comes last", () => {
  const results = readClasses([2, 1, 1, 0, 3, 1]);
  assert.deepEqual(results.categories, ["ant", "bee", "another class"]);
  assert.equal(pairAt(results, 0, 2).count, 1);
  assert.equal(pairAt(results, 1, 2).share, 0.25);
  assert.equal(pairAt(results, 2, 0).count, 0);
  assert.equal(results.predictedName?.(0, 2), "wasp");
  assert.equal(results.predictedName?.(1, 2), "crab 2, fly, moth, …");
  assert.equal(results.predictedName?.(1, 0), "ant");
  assert.deepEqual([...results.tests], [4, 4, 0]);
  assert.deepEqual(orderClasses(results, "name"), [0, 1, 2]);
});

test("without such predictions the matrix is square as it is", () => {
  const results = readClasses([3, 1, 0, 1, 3, 0]);
  assert.deepEqual(results.categories, ["ant", "bee"]);
  assert.deepEqual([...results.confusion], [3, 1, 1, 3]);
});

test("the run to compare with is the selected one, or the one before", () => {
  const runs = [makeRun(), makeRun({ run: 2 }), makeRun({ run: 3 }), makeRun({ run: 4, photographs: 0 })];
  const status = { runs, before: 2, after: 3 };
  assert.equal(comparedRun(status, { run: 3, before: null })?.run, 2);
  assert.equal(comparedRun(status, { run: 3, before: 1 })?.run, 1);
  assert.equal(comparedRun(status, { run: 3, before: 3 }), null);
  assert.equal(comparedRun(status, { run: 2, before: null }), null);
  assert.equal(comparedRun(status, { run: 4, before: 1 }), null, "nothing was evaluated");
});

const MULTILABEL = {
  task: "multilabel" as const,
  version: "1",
  reply: {
    ...COMMON,
    task: "multilabel" as const,
    categories: ["a", "b"],
    model_classes: ["a", "b"],
    mean_average_precision: 0.5,
    threshold: 0.5,
  },
  averagePrecision: Float32Array.of(0.9, 0.3),
  tests: Int32Array.of(4, 2),
  predicted: Int32Array.from({ length: 198 }, (_, index) => (index === 98 ? 5 : index === 99 ? 1 : 0)), // at 50%
  right: Int32Array.from({ length: 198 }, (_, index) => (index === 98 ? 3 : 0)),
};

test("precision and recall at a threshold", () => {
  assert.deepEqual(countsAt(MULTILABEL, 0.5), { precision: 0.5, recall: 0.5 });
  const [worst, best] = classScores(MULTILABEL, 0.5);
  assert.deepEqual([worst?.name, worst?.precision, worst?.recall], ["b", 0, 0]);
  assert.deepEqual([best?.name, best?.precision, best?.recall], ["a", 0.6, 0.75]);
  assert.deepEqual(groupCounts(MULTILABEL, 0, 0.5), { found: 3, missed: 1, false: 2 });
  assert.ok(Number.isNaN(countsAt(MULTILABEL, 0.9).precision), "nothing is predicted");
});

const match = (changes: Partial<ClassMatch>): ClassMatch => ({
  name: "cat",
  photographs: 3,
  classes: [1],
  how: "exact",
  candidates: [],
  problem: "",
  ...changes,
});
const MATCHES = [match({}), match({ name: "gull", classes: [], how: "none" }), match({ name: "misc", classes: [], how: "table" })];

test("classes without a match are counted and listed first, those that are left out are not", () => {
  assert.equal(describeMatches({ matches: MATCHES }), "1 of 3 classes matched with the model's · 1 left out · 1 without a match");
  assert.equal(describeMatches({ matches: [match({})] }), "Its class matches the model's");
  assert.deepEqual(
    orderMatches(MATCHES).map(({ name }) => name),
    ["gull", "cat", "misc"],
  );
  const empty = match({ name: "unicorn", photographs: 0, classes: [], how: "none" });
  assert.equal(orderMatches([...MATCHES, empty]).length, 3, "a class without photographs is not listed");
  assert.equal(describeMatches({ matches: [match({}), empty] }), "Its class matches the model's");
});

test("a mapping is changed without the former one", () => {
  const mapping = { cat: ["tabby"] };
  assert.deepEqual(withNames(mapping, "gull", ["ibis"]), { cat: ["tabby"], gull: ["ibis"] });
  assert.deepEqual(withNames(mapping, "cat", []), { cat: [] });
  assert.deepEqual(withNames(mapping, "cat", null), {});
  assert.deepEqual(mapping, { cat: ["tabby"] });
});

test("the number of photographs may be empty", () => {
  assert.equal(parseLimit(""), null);
  assert.equal(parseLimit("1,200"), 1200);
  for (const text of ["0", "-3", "2.5", "many"]) assert.throws(() => parseLimit(text), /1 or more/);
});

test("calibration and the state of a run in words", () => {
  assert.match(describeCalibration(RELIABILITY), /^On average, the confidence \(90%\) is higher than the accuracy \(60%\)/);
  assert.equal(describePhase(makeRun()), "10 photographs of Caltech-101, 3 s");
  assert.match(describePhase(makeRun({ phase: "stopped", photographs: 4 })), /^Stopped after 4 photographs of 10/);
});

const COMPARISON = {
  accuracy_before: 0.903,
  accuracy_after: 0.9,
  interval: [-0.008, 0.002],
  p_value: 0.39,
  photographs: 1433,
  categories: ["ant", "bee"],
  class_before: [0.5, null],
  class_after: [0.75, null],
} as unknown as Comparison;

test("a change in words, with its interval and p-value", () => {
  const expected = "−0.3 points (95% confidence interval −0.8 to +0.2) · McNemar p = 0.39 · 1,433 photographs";
  assert.equal(describeChange(COMPARISON), expected);
  assert.match(describeChange({ ...COMPARISON, p_value: 1e-9 }), /McNemar p < 0\.001/);
  assert.deepEqual(changedClasses(COMPARISON, [1, 0]), [{ name: "ant", before: 0.5, after: 0.75, gain: 0.25 }]);
});

test("round values of an axis, and its range", () => {
  assert.deepEqual(roundValues(-0.5, 20.4), [0, 5, 10, 15, 20]);
  assert.deepEqual(roundValues(3, 3), []);
  assert.deepEqual(valueRange(Float32Array.of(0, 10), Float32Array.of(5, 5)), [-0.4, 10.4]);
  assert.deepEqual(valueRange(new Float32Array(), new Float32Array()), [0, 1]);
  assert.deepEqual([...column(Float32Array.of(1, 2, 3, 4), 2, 1)], [2, 4]);
});
