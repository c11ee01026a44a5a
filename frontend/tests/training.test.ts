import assert from "node:assert/strict";
import { test } from "node:test";
import { curvesOf, formatSmall, nearestEpoch, valueAt } from "../src/training/curves.ts";
import { buttonText, describeEpoch, describeProgress, doneShare, planFacts } from "../src/training/texts.ts";
import type { Plan, Status, TrainingLog, TrainingProgress } from "../src/training/wire.ts";

const plan: Plan = {
  model: "small",
  images: "photographs",
  training: 400,
  validation: 0,
  classes: ["a", "b", "c", "d"],
  parameters: 1_500_000,
  input_size: [3, 64, 48],
  pretrained: false,
  epochs: 20,
  recipe: [],
};
const progress: TrainingProgress = {
  epoch: 2,
  epochs: 20,
  step: 1,
  steps: 4,
  loss: 0.5,
  top1: 0.75,
  learning_rate: 0.01,
  images_per_second: 98.7,
  seconds_left: 200,
  process: 1,
  host: "here",
};
const log: TrainingLog = {
  epochs: [0, 1, 2],
  columns: {
    train_loss: [null, 1.5, 1],
    train_top1: [null, 0.5, 0.75],
    train_top5: [null, null, null],
    validation_loss: [2, null, null],
    validation_top1: [0.25, 0.5, 0.5],
    validation_top5: [null, null, null],
    learning_rate: [null, 0.01, 0.001],
    seconds: [0, 10, 20],
    images_per_second: [null, 80, 100],
  },
  layers: ["conv", "fc"],
  weights: [
    [0.1, 0.1, 0.1],
    [0.2, 0.2, 0.2],
  ],
  updates: [
    [null, 1e-4, 1e-4],
    [null, null, null],
  ],
  ratio: [
    [null, 1e-3, 1e-3],
    [null, null, null],
  ],
  rate_steps: [{ epoch: 2, factor: 0.1 }],
};
const state = { accuracy: "error", layers: "ratio" } as const;

function makeStatus(changes: Partial<Status> = {}): Status {
  return {
    folder: "runs/first",
    phase: "running",
    plan,
    progress,
    epochs: 3,
    version: 1,
    checkpoints: [0, 1],
    message: "",
    can_start: false,
    can_cancel: true,
    resumes: false,
    code: [],
    preparation: null,
    layer_names: [],
    ...changes,
  };
}

test("errors are counted as in the paper, or accuracies are shown", () => {
  const { lines, plot } = curvesOf(log, makeStatus(), state).accuracy;
  assert.deepEqual(
    lines.map(({ name, y }) => [name, y]),
    [
      ["training top-1", [null, 50, 25]],
      ["validation top-1", [75, 50, 50]],
    ],
  );
  assert.deepEqual(plot.rules, [{ y: 75, text: "guessing: 75%" }]);
  assert.deepEqual(curvesOf(log, makeStatus(), { ...state, accuracy: "accuracy" }).accuracy.lines[0]?.y, [null, 50, 75]);
});

test("top-5 is shown of more than five classes, of which it can be wrong", () => {
  const rated: TrainingLog = { ...log, columns: { ...log.columns, validation_top5: [0.75, 1, 1] } };
  const names = (classes: string[]) =>
    curvesOf(rated, makeStatus({ plan: { ...plan, classes } }), state).accuracy.lines.map(({ name }) => name);
  assert.ok(!names(["a", "b", "c", "d", "e"]).includes("validation top-5"));
  assert.ok(names(["a", "b", "c", "d", "e", "f"]).includes("validation top-5"));
});

test("a value without neighbours is a point, and the epoch that is running is one between two epochs", () => {
  const { plot } = curvesOf(log, makeStatus(), state).loss;
  assert.deepEqual(
    plot.points.map(({ x, y, title }) => [x, y, title]),
    [
      [0, 2, "validation, epoch 0: 2.000"],
      [2.25, 0.5, "epoch 3 so far: 0.500"],
    ],
  );
  assert.equal(curvesOf(log, makeStatus({ phase: "cancelled" }), state).loss.plot.points.length, 1);
});

test("annealing and checkpoints are marked", () => {
  const marks = curvesOf(log, makeStatus({ checkpoints: [0, 1, 9] }), state).rate.plot.marks ?? [];
  assert.deepEqual(
    marks.map(({ x, kind }) => [x, kind]),
    [
      [2, "line"],
      [0, "triangle"],
      [1, "triangle"],
    ],
  );
});

test("layers that were not measured have no line", () => {
  const layers = (measure: "ratio" | "weights") => curvesOf(log, makeStatus(), { ...state, layers: measure }).layers;
  assert.deepEqual(
    layers("ratio").lines.map(({ name }) => name),
    ["conv"],
  );
  assert.deepEqual(layers("ratio").plot.rules, [{ y: 1e-3, text: "10⁻³ is usual" }]);
  assert.equal(layers("weights").lines.length, 2);
  assert.deepEqual(layers("weights").plot.rules, []);
});

test("values are read at the nearest epoch, or the last ones", () => {
  const [line] = curvesOf(log, makeStatus(), state).loss.lines;
  assert.ok(line);
  assert.deepEqual([nearestEpoch(log, 1.4), nearestEpoch(log, 9), nearestEpoch({ ...log, epochs: [] }, 1)], [1, 2, null]);
  assert.deepEqual([valueAt(line, null), valueAt(line, 1), valueAt(line, 0)], [1, 1.5, null]);
  assert.deepEqual([0.25, 0.0125, 3.21e-5, null].map(formatSmall), ["0.25", "0.013", "3.2e-5", "–"]);
});

test("the progress in words", () => {
  assert.equal(describeProgress(makeStatus()), "epoch 3 of 20 · step 1 of 4 · 98.7 images/s · 3 min left");
  assert.equal(describeProgress(makeStatus({ phase: "cancelled" })), "epoch 2 of 20");
  assert.equal(describeProgress(makeStatus({ phase: "new", progress: null })), "20 epochs to train.");
  const preparation = { job: "decoding training images", done: 30, total: 120, rate: 0, message: "" };
  const preparing = makeStatus({ progress: null, preparation });
  assert.equal(describeProgress(preparing), "decoding training images: 30 of 120 photographs");
  assert.deepEqual([doneShare(preparing), doneShare(makeStatus()), doneShare(makeStatus({ phase: "finished" }))], [0.25, 0.1125, 1]);
  assert.equal(describeEpoch(log, 1), "Epoch 1 · after 10 s · 80.0 images/s");
  assert.equal(describeEpoch(log, 0), "Epoch 0, before training");
});

test("the button says what it does", () => {
  const texts = (["new", "cancelled", "finished"] as const).map((phase) =>
    buttonText(makeStatus({ phase, can_cancel: false, resumes: phase !== "new" })),
  );
  assert.deepEqual(texts, ["Start", "Resume", "Continue training"]);
  assert.deepEqual([buttonText(makeStatus()), buttonText(makeStatus({ phase: "stopping", can_cancel: false }))], ["Cancel", "Stopping…"]);
});

test("what is trained on what", () => {
  const facts = new Map(planFacts(plan, "runs/first"));
  assert.equal(facts.get("Network"), "small, 1.50 million parameters");
  assert.deepEqual([facts.get("Input"), facts.get("Validate on"), facts.get("Classes")], ["64 × 48", "none", "4"]);
});
