import assert from "node:assert/strict";
import { test } from "node:test";
import { describeStep, describeTraining, formatDecay, trainingContent } from "../src/transfer/training_lines.ts";
import type { TrainingReply } from "../src/transfer/wire.ts";
import { linePath, ticks } from "../src/ui/line_plot.ts";
import { presentationZoom } from "../src/ui/presentation.ts";

const line = (steps: (number | null)[], train: (number | null)[], held_out: (number | null)[] = train.map(() => null)) => ({
  steps,
  train,
  held_out,
  loss: train,
});
const empty = line([], []);
const search = { weight_decay: 0.01, ...line([1, 2], [10, 60], [8, 40]) };
const run = { per_fold: [0.5, 0.7], classes: 4, folds: 5 };

function makeReply(changes: Partial<TrainingReply> = {}): TrainingReply {
  return { fold: 1, final_fold: 1, final: line([0, 1, 2], [70, 80, 90]), earlier: [line([0, 1], [50, 95])], candidates: [], ...changes };
}

test("before the first step there are the axes and the accuracy of guessing", () => {
  const { plot, legend } = trainingContent(null, { per_fold: [], classes: 4, folds: 5 });
  assert.deepEqual([plot.rules, plot.lines, legend], [[{ y: 25, text: "guessing: 25%" }], [], []]);
  assert.deepEqual(trainingContent(null, { per_fold: [], classes: 0, folds: 5 }).plot.rules, []);
});

test("the search is shown until there is a final classifier", () => {
  const reply = makeReply({ fold: 0, final_fold: null, final: empty, earlier: [], candidates: [search] });
  const content = trainingContent(reply, { ...run, per_fold: [] });
  assert.deepEqual(
    content.plot.lines.map(({ x, y }) => [x, y]),
    [
      [
        [1, 2],
        [10, 60],
      ],
      [
        [1, 2],
        [8, 40],
      ],
    ],
  );
  assert.equal(content.plot.points.length, 0);
  assert.equal(describeStep(content, 2), "Step 2: training images 60%, held-out images 40%");
  assert.match(describeTraining(reply, run), /^Fold 1 of 5: searching for the weight decay/);
});

test("the final classifier is shown with the tests of all folds, and with earlier folds", () => {
  const content = trainingContent(makeReply(), run);
  assert.deepEqual(
    content.plot.lines.map(({ className }) => className),
    ["dwt-earlier", "dwt-final"],
  );
  assert.deepEqual(
    content.plot.points.map(({ x, y }) => [x, y]),
    [
      [2, 50],
      [2, 70],
    ],
  );
  assert.deepEqual(
    content.legend.map(({ text, value }) => `${text} ${value}`),
    ["training images 90%", "test images (mean of 2 of 5 folds) 60%"],
  );
  assert.equal(describeStep(content, 3), "");
  assert.equal(describeTraining(makeReply(), run), "Fold 2 of 5: accuracy at each training step");
});

test("the final classifier follows the search if both are shown", () => {
  const { plot } = trainingContent(makeReply({ candidates: [search] }), run);
  assert.deepEqual(plot.lines.at(-1)?.x, [2, 3, 4]);
  assert.equal(
    plot.lines.some(({ className }) => className === "dwt-earlier"),
    false,
  );
});

test("weight decays, ticks, paths and magnifications", () => {
  assert.deepEqual([1e-2, 1e-6, 0.1, 2.5e-4].map(formatDecay), ["10⁻²", "10⁻⁶", "0.1", "0.00025"]);
  assert.deepEqual(ticks(30), [0, 10, 20, 30]);
  assert.deepEqual(ticks(3), [0, 1, 2, 3]);
  assert.deepEqual(ticks(0), []);
  const same = (value: number) => value;
  assert.equal(linePath([0, 1, 2, 3], [5, null, 6, 7], same, same), "M0.0 5.0M2.0 6.0L3.0 7.0");
  assert.equal(presentationZoom(2180, 1400), 2);
  assert.equal(presentationZoom(2180, 700), 1);
  assert.equal(presentationZoom(400, 300), 1);
});
