import assert from "node:assert/strict";
import { test } from "node:test";
import { formatPoints } from "../src/classification/gains.ts";
import { describeTest, formatFolds, groupTests } from "../src/classification/test_photographs.ts";
import type { Progress } from "../src/kernel/wire.ts";
import { describeFolds, formatAccuracy, runAccuracy } from "../src/transfer/accuracy.ts";
import { formatTemperature, formatWeightDecay } from "../src/transfer/comparison.ts";
import { suggestImagesPerClass } from "../src/transfer/data_summary.ts";
import { accuracyRange, scaleRows } from "../src/transfer/headline.ts";
import { describePhase, progressFraction } from "../src/transfer/run_progress.ts";
import { settingsOf } from "../src/transfer/setup.ts";
import { makeSummary } from "./fake_run.ts";

test("a photograph is shown once per prediction for all folds", () => {
  const one = { source: 5, name: "a.jpg", truth: 0, prediction: 1, confidence: 0.9 };
  const [wrong, right] = groupTests([
    { ...one, fold: 2 },
    { ...one, fold: 0, confidence: 0.4 },
    { ...one, fold: 1, prediction: 0 },
  ]);
  assert.ok(wrong && right);
  assert.deepEqual(
    [wrong, right].map(({ folds, confidence, prediction }) => [folds, confidence, prediction]),
    [
      [[2, 0], 0.9, 1],
      [[1], 0.9, 0],
    ],
  );
  assert.equal(formatFolds([2, 0]), "folds 1, 3");
  assert.equal(describeTest(wrong, ["ant", "bee"]), "ant, predicted bee, 90% · folds 1, 3 · a.jpg");
  assert.match(describeTest({ ...right, confidence: null }, ["ant", "bee"]), /^ant, predicted correctly · fold 2/);
});

test("the headline: no standard deviation for one fold; the progress of an active run", () => {
  assert.equal(formatAccuracy({ mean: 85.34, std: 0.61 }), "85.3 ± 0.6%");
  const paper = [{ description: "paper", mean: 82.9, std: null }];
  const summary = makeSummary({ run: 3, per_fold: [0.8], mean: 0.8, std: 0, phase: "stopped", seconds: 42, paper });
  assert.deepEqual(runAccuracy(summary), { mean: 80, std: null });
  assert.equal(describeFolds(summary), "1 of 5 folds · stopped · 42 s");
  assert.equal(describeFolds({ ...summary, per_fold: [1, 1], folds: 2, phase: "done", seconds: 0 }), "2 folds");
  const rows = scaleRows(summary, { ...summary, run: 1 });
  assert.deepEqual(
    rows.map(({ label, kind }) => [label, kind]),
    [
      ["run 3", "run"],
      ["run 1", "other"],
      ["paper", "paper"],
    ],
  );
  assert.equal(scaleRows({ ...summary, per_fold: [] }, null)[0]?.mean, null);
});

test("the scale includes all values, in multiples of five", () => {
  for (const values of [[84.4, 85.1], [0], [100], [99.9, 46.5], [3, 97], [50]]) {
    const [low, high] = accuracyRange(values);
    assert.ok(low <= Math.min(...values) && high >= Math.max(...values) && high - low >= 10 && low >= 0 && high <= 100, `${values}`);
    assert.ok(low % 5 === 0 && high % 5 === 0);
  }
  assert.deepEqual(accuracyRange([]), [0, 100]);
});

test("differences are signed, equal weight decays are listed once", () => {
  assert.deepEqual([2.04, -3.96, 0.01].map(formatPoints), ["+2.0", "−4.0", "±0.0"]);
  assert.equal(formatWeightDecay({ weight_decay: null, weight_decays: [0.001, 0.001, 0.01] }), "10⁻³, 10⁻² (chosen for each fold)");
  assert.equal(formatWeightDecay({ weight_decay: 0.1, weight_decays: [] }), "0.1");
  assert.equal(formatWeightDecay({ weight_decay: null, weight_decays: [] }), "to be chosen");
  assert.deepEqual([[], [0.814, 0.8149], [0.62, 0.9, 1]].map(formatTemperature), ["–", "0.81", "0.62 to 1"]);
});

test("the progress of a run as text", () => {
  const run = makeSummary({ seconds: 12 });
  const progress: Progress = { job: "features", done: 30, total: 120, rate: 15, message: "" };
  assert.match(describePhase({ ...run, phase: "waiting" }), /^Waiting/);
  assert.equal(describePhase({ ...run, phase: "features", progress }), "30 of 120 photographs · 15.0 images/s · 6 s left");
  assert.equal(describePhase({ ...run, phase: "training", per_fold: [0.8] }), "Fold 2 of 5");
  assert.equal(
    describePhase({ ...run, phase: "curve", progress: { ...progress, message: "15 per class" } }),
    "30 of 120 training runs · 15 per class",
  );
  assert.equal(describePhase({ ...run, phase: "stopped" }), "Stopped; no fold was completed, but the features are kept.");
  assert.equal(describePhase({ ...run, phase: "failed", per_fold: [0.8, 0.9] }), "Failed; 2 of 5 folds are kept.");
  assert.equal(describePhase({ ...run, phase: "done", per_fold: [1, 1, 1, 1, 1] }), "Done in 12 s.");
  assert.equal(progressFraction({ ...run, phase: "training", per_fold: [0.8] }), 0.2);
  assert.equal(progressFraction({ ...run, phase: "waiting" }), null);
});

test("the suggested number of images is limited by the data", () => {
  assert.equal(suggestImagesPerClass({ problem: "too few", most: 39 }, 60), 30);
  assert.equal(suggestImagesPerClass({ problem: "too few", most: 7 }, 30), 5);
  assert.equal(suggestImagesPerClass({ problem: "no class", most: 0 }, 30), null);
  assert.equal(suggestImagesPerClass({ problem: "something else", most: 39 }, 30), null);
  assert.equal(suggestImagesPerClass({ problem: null, most: 39 }, 60), null);
  assert.equal(suggestImagesPerClass(null, 30), null);
});

test("settings are the part of the state that determines a run", () => {
  const settings = {
    data: "a",
    root: null,
    layer: null,
    images_per_class: 30,
    folds: 3,
    weight_decay: null,
    views: "one",
    seed: 0,
    curve: false,
  } as const;
  const state = {
    ...settings,
    run: null,
    compare: null,
    tab: "training",
    show: "classes",
    cell: null,
    sort: "worst",
    order: "name",
  } as const;
  assert.equal(Object.keys(settingsOf(state)).length, 9);
  assert.equal("show" in settingsOf(state), false);
});
