import assert from "node:assert/strict";
import { test } from "node:test";

import { convergenceContent, endsFirst, trainingContent } from "../src/evolution/curves.ts";
import { fitting, namedMarks, spread } from "../src/evolution/epoch_chart.ts";
import { keyAction } from "../src/evolution/keyboard.ts";
import { distribute, GAP, LABEL, rowsLayout } from "../src/evolution/layout.ts";
import { describeReached } from "../src/evolution/texts.ts";
import { formatUnits, parseUnits } from "../src/evolution/unit_choice.ts";
import type { Convergence } from "../src/evolution/wire.ts";
import { UserError } from "../src/kernel/errors.ts";

const LAYERS = [
  { short_name: "conv1", units: 24, receptive_field: [7, 7] as [number, number] },
  { short_name: "layer1.0.conv1", units: 48, receptive_field: null },
];

test("rows fill the width, and scroll sideways only when cells would be too small", () => {
  for (let width = 300; width < 2200; width += 61) {
    for (const epochs of [1, 3, 7, 12, 30]) {
      const { blocks, cell } = rowsLayout(width, epochs, 16, 4);
      const used = blocks * (LABEL + epochs * (cell + GAP)) + (blocks - 1) * 18;
      assert.ok(used <= width || cell === 46, `${width} px, ${epochs} epochs: ${used}`);
      assert.ok(blocks === 1 || cell >= 50, "blocks stand side by side only with good cells");
    }
  }
  assert.equal(rowsLayout(1150, 7, 16, 4).blocks, 2);
  assert.equal(rowsLayout(1150, 7, 4, 1).blocks, 1, "a layer stays together");
});

test("layers are distributed in order, such that the highest block is as low as possible", () => {
  assert.deepEqual(distribute([4, 4, 4, 4], 2), [
    [0, 1],
    [2, 3],
  ]);
  assert.deepEqual(distribute([1, 1, 6, 1], 2), [
    [0, 1],
    [2, 3],
  ]);
  assert.deepEqual(distribute([3, 2], 3), [[0], [1]]);
  assert.deepEqual(distribute([5], 1), [[0]]);
});

test("texts at the ends of curves stand apart and inside", () => {
  const placed = spread([10, 11, 12, 90], 8, 100, 12);
  assert.deepEqual(placed, [10, 22, 34, 90]);
  assert.deepEqual(spread([99, 100, 100], 8, 100, 12), [76, 88, 100]);
});

test("texts of learning rates do not overlap, nor leave the plot", () => {
  const marks = [18, 29, 34, 39].map((x) => ({ x, text: "rate / 10" }));
  assert.deepEqual([...namedMarks(marks, (epoch) => 7 * epoch, 290)], [18, 29]);
  assert.deepEqual([...namedMarks(marks, (epoch) => 100 * epoch, 9999)], [18, 29, 34, 39]);
});

test("labels of epochs do not overlap, and those of the ends are kept", () => {
  const epochs = [0, 1, 2, 5, 10, 20, 30, 40, 64];
  const shown = fitting(endsFirst(epochs), (epoch) => 3 * epoch);
  assert.ok(shown.includes(0) && shown.includes(64));
  const sorted = [...shown].sort((a, b) => a - b);
  for (const [index, epoch] of sorted.slice(1).entries()) assert.ok(3 * (epoch - (sorted[index] ?? 0)) > 12);
  assert.deepEqual(
    endsFirst(epochs).sort((a, b) => a - b),
    epochs,
  );
  assert.deepEqual(endsFirst([7]), [7]);
});

test("a step of the learning rate is marked with its factor", () => {
  const entry = { train_loss: 1, validation_loss: null, train_top1: null, validation_top1: null, learning_rate: null };
  const log = [0, 1, 2, 3, 4].map((epoch) => ({ ...entry, epoch }));
  const rate_steps = [
    { epoch: 3, factor: 0.2 },
    { epoch: 4, factor: 2 },
  ];
  assert.deepEqual(trainingContent({ log, rate_steps }, null, [0, 4]).marks, [
    { x: 3, text: "rate / 5" },
    { x: 4, text: "rate × 2" },
  ]);
});

test("layers are grouped by the checkpoint from which on they are at 0.9", () => {
  const curve = { values: [], left_out: [], units: 8 };
  const curves = [
    { ...curve, layer: "conv2", reached: 20 },
    { ...curve, layer: "conv1", reached: 5 },
    { ...curve, layer: "conv3", reached: 20 },
    { ...curve, layer: "conv4", reached: null },
  ];
  const found: Convergence = { measure: "correlation", epochs: [0, 5, 20, 30], against: 30, curves, note: "" };
  assert.equal(describeReached(found, "epoch"), "at least 0.9 from epoch 5: conv1 · 20: conv2, conv3 · only at 30: conv4");
  assert.equal(describeReached({ ...found, curves: curves.slice(3) }, "epoch"), "");
});

test("the numbers on the right are those of the current epoch, and none of one that is not ready", () => {
  const curve = { layer: "conv1", values: [0.5, null, 1], left_out: [0, 24, 0], reached: null, units: 24 };
  const convergence: Convergence = { measure: "correlation", epochs: [0, 5, 9], against: 9, curves: [curve], note: "" };
  const at = (epoch: number) => convergenceContent(convergence, epoch, [0, 9]).curves[0]?.last;
  assert.deepEqual([at(0), at(5), at(9), at(7)], ["0.50", "–", "1.00", undefined]);
});

test("units are read as they are written", () => {
  const units = parseUnits("conv1 3, 15; layer1.0.conv1 8 3", LAYERS);
  assert.deepEqual(units, [
    ["conv1", 3],
    ["conv1", 15],
    ["layer1.0.conv1", 8],
    ["layer1.0.conv1", 3],
  ]);
  assert.deepEqual(parseUnits(formatUnits(units), LAYERS), units);
  for (const [text, reason] of [
    ["3", /name a layer/],
    ["conv2 3", /no layer conv2/],
    ["conv1 24", /units 0 to 23/],
    ["conv1 -1", /no layer -1/],
  ] as const) {
    assert.throws(
      () => parseUnits(text, LAYERS),
      (error: unknown) => error instanceof UserError && reason.test(error.message),
    );
  }
});

test("keys belong to the part that has the focus", () => {
  assert.deepEqual(keyAction("ArrowRight", "other"), { type: "epoch", to: "next" });
  assert.deepEqual(keyAction("ArrowDown", "button"), { type: "unit", step: 1 });
  assert.deepEqual(keyAction("ArrowDown", "mosaics"), { type: "rank", key: "ArrowDown" });
  assert.deepEqual(keyAction(" ", "control"), { type: "play" });
  assert.equal(keyAction(" ", "button"), null, "the browser clicks it");
  assert.equal(keyAction("Enter", "button"), null);
  assert.equal(keyAction("ArrowRight", "control"), null, "a slider handles it");
  assert.equal(keyAction("e", "text"), null);
});
