import assert from "node:assert/strict";
import { test } from "node:test";
import { colourOf, curvesOf, titleOf } from "../src/ablation/curves.ts";
import { scaleOf } from "../src/ablation/interval.ts";
import { buttonText, differenceHint, differenceText, doneShare, errorText, paperText } from "../src/ablation/texts.ts";
import type { Row, Run, Status, Table } from "../src/ablation/wire.ts";

const run = (variant: string, seed: number, errors: number[], epochs = 2): Run => ({
  variant,
  seed,
  folder: "",
  phase: errors.length > epochs ? "complete" : errors.length ? "running" : "new",
  epoch: Math.max(0, errors.length - 1),
  epochs,
  train_error: null,
  top1_error: errors.at(-1) ?? null,
  top5_error: null,
  images_per_second: null,
  message: "",
  curve: errors.map((error, epoch) => [epoch, error / 2, error]),
});

const row = (name: string, runs: Run[]): Row => ({
  variant: { name, description: "", origin: "random weights", architecture: null, parameters: 1, surgery: [], paper: null },
  runs,
  train_error: null,
  top1_error: null,
  top5_error: null,
  images_per_second: null,
  train_difference: null,
  top1_difference: null,
  top5_difference: null,
});

const table = (rows: Row[]): Table => ({
  folder: "",
  images: "",
  classes: 4,
  training: 1,
  validation: 1,
  input_size: [3, 8, 8],
  epochs: 2,
  seeds: [0, 1],
  baseline: "a",
  rows,
  notes: [],
});

test("a mean curve has only the epochs of all begun runs", () => {
  const rows = [row("a", [run("a", 0, [0.8, 0.6, 0.4]), run("a", 1, [0.6, 0.2])]), row("b", [run("b", 0, []), run("b", 1, [])])];
  const { lines, rules } = curvesOf(table(rows), "top1", null);
  assert.equal(lines.length, 1);
  assert.deepEqual(lines[0]?.x, [0, 1]);
  assert.deepEqual(
    lines[0]?.y.map((value) => Math.round(value ?? 0)),
    [70, 40],
  );
  assert.equal(rules[0]?.y, 75);
  const shown = curvesOf(table(rows), "train", "a").lines;
  assert.equal(shown.length, 3); // two runs and the mean
  assert.deepEqual(shown[0]?.y, [40, 30, 20]);
});

test("small errors fill the plot, and the title says what guessing gives", () => {
  const small = table([row("a", [run("a", 0, [0.2, 0.18])])]);
  const content = curvesOf(small, "top1", null);
  assert.equal(content.scale?.height(20), 1);
  assert.equal(titleOf("Error", small, content), "Error (guessing: 75%)");
  const large = table([row("a", [run("a", 0, [0.8, 0.18])])]);
  assert.equal(titleOf("Error", large, curvesOf(large, "top1", null)), "Error");
});

test("a study without runs has no lines, and nothing is done", () => {
  const empty = table([row("a", [run("a", 0, []), run("a", 1, [])])]);
  assert.deepEqual(
    curvesOf(empty, "top1", "a").lines.filter(({ x }) => x.length),
    [],
  );
  assert.equal(doneShare(empty), 0);
  assert.equal(doneShare(table([])), 0);
  assert.equal(doneShare(table([row("a", [run("a", 0, [1, 1, 1]), run("a", 1, [1, 1])])])), 0.75);
});

test("numbers in words", () => {
  assert.equal(errorText({ mean: 0.4, std: 0.0123, count: 3 }), "40.0 ± 1.2%");
  assert.equal(errorText({ mean: 0.4, std: null, count: 1 }), "40.0%");
  assert.equal(errorText(null), "–");
  assert.equal(differenceText({ mean: -0.021, interval: [-0.05, 0.00001], count: 3 }), "−2.1 [−5.0, 0.0]");
  assert.match(
    differenceHint({ mean: 0.02, interval: [0.01, 0.03], count: 3 }, "a"),
    /2\.0 percentage points more errors than a.*excludes 0/,
  );
  assert.match(differenceHint({ mean: -0.02, interval: [-0.05, 0.01], count: 3 }, "a"), /fewer.*may be chance/);
  assert.match(differenceHint({ mean: 0, interval: null, count: 1 }, "a"), /in 1 seed; there is no interval/);
});

test("the paper's error is that of the measure", () => {
  const paper = { train_top1: 0.274, top1: 0.4, top5: 0.184, baseline_top1: 0.405, baseline: "x" };
  const one = { ...row("a", []), variant: { ...row("a", []).variant, paper } };
  assert.deepEqual(
    (["top1", "top5", "train"] as const).map((measure) => paperText(one, measure)),
    ["40.0% (−0.5)", "18.4%", "27.4%"],
  );
});

test("the axis of differences holds all means, and is not stretched by one wide interval", () => {
  assert.ok(scaleOf([{ mean: 0.3, interval: null, count: 1 }]) > 0.3);
  assert.ok(scaleOf([{ mean: 0.01, interval: [-2, 2], count: 2 }]) < 0.06);
  assert.ok(scaleOf([]) > 0);
});

test("colours differ among up to twelve variants", () => {
  for (const count of [1, 5, 12]) assert.equal(new Set(Array.from({ length: count }, (_, index) => colourOf(index, count))).size, count);
});

test("the button says what it does", () => {
  const status = { phase: "new", can_cancel: false } as Status;
  assert.equal(buttonText(status, 3, 3), "Start");
  assert.equal(buttonText({ ...status, phase: "incomplete" }, 1, 3), "Resume 1 variant");
  assert.equal(buttonText({ ...status, phase: "running", can_cancel: true }, 3, 3), "Cancel");
});
