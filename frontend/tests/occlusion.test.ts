import assert from "node:assert/strict";
import { test } from "node:test";

import { besideOf, boxAt, centreOf, patchAt, patchKey, snapped, windowWords } from "../src/occlusion/geometry.ts";
import { cellCentre, cellOf, legendOf, nearestKnown, placeOn, rangeOf, readGrid } from "../src/occlusion/map_grid.ts";
import { paintClasses, viridisPixel } from "../src/ui/colormap.ts";
import { NewestOnly } from "../src/kernel/latest.ts";
import { answerOrder, changeWords } from "../src/occlusion/class_probabilities.ts";
import { classNamed } from "../src/occlusion/target_classes.ts";
import { gridWords, stridesFor } from "../src/occlusion/map_settings.ts";
import { rangeOfUnit } from "../src/occlusion/store.ts";
import { uploadedWords } from "../src/occlusion/picture_upload.ts";

const NO = Number.NaN;
const view = (array) => new DataView(array.buffer);

test("a box and its centre say the same, for any window", () => {
  for (const window of [
    [48, 48],
    [7, 10],
    [1, 1],
    [64, 5],
  ]) {
    for (const point of [
      [0, 0],
      [112, 111.6],
      [223.9, 3],
      [-50, 400],
    ]) {
      const centre = snapped(point, window, [224, 224]);
      const [left, top, right, bottom] = boxAt(centre, window);
      assert.deepEqual([bottom - top, right - left], window);
      assert.deepEqual(centreOf([left, top, right, bottom]), centre);
      assert.deepEqual(snapped(centre, window, [224, 224]), centre, "and stays");
      assert.ok(
        centre.every((place) => place >= 0 && place <= 224),
        "at least half of it is on the image",
      );
    }
  }
  assert.deepEqual(boxAt([24, 24], [48, 48]), [0, 0, 48, 48]);
  assert.deepEqual(boxAt([2.5, 2.5], [5, 5]), [0, 0, 5, 5], "the first window of an odd size");
  assert.equal(windowWords([48, 48]), "48 px");
  assert.equal(windowWords([48, 16]), "48 × 16 px");
});

test("a press means the uppermost patch there, else the nearest", () => {
  const patches = [
    [50, 50],
    [60, 60],
    [200, 200],
  ];
  assert.equal(patchAt(patches, [40, 40], [55, 55]), 1);
  assert.equal(patchAt(patches, [40, 40], [35, 35]), 0);
  assert.equal(patchAt(patches, [40, 40], [150, 150]), 2);
  assert.equal(patchAt([], [40, 40], [1, 1]), -1);
});

test("a further patch stands beside the active one, on the image", () => {
  assert.deepEqual(besideOf(undefined, [40, 40], [224, 224]), [112, 112]);
  assert.deepEqual(besideOf([100, 100], [40, 40], [224, 224]), [100, 150]);
  assert.deepEqual(besideOf([100, 200], [40, 40], [224, 224]), [100, 150]);
});

test("what keys mean", () => {
  const meaning = (key, shiftKey = false, size = [224, 224]) => patchKey({ key, shiftKey }, size);
  assert.deepEqual(meaning("ArrowUp"), { act: "move", step: [-1, 0] });
  assert.deepEqual(meaning("ArrowRight", true), { act: "move", step: [0, 8] });
  assert.equal(meaning("Delete").act, "remove");
  assert.equal(meaning("x"), null);
  assert.deepEqual(
    ["[", "]"].map((key) => meaning(key).step),
    [
      [-4, -4],
      [4, 4],
    ],
  );
  assert.deepEqual(
    ["[", "]"].map((key) => meaning(key, false, [127, 64]).step),
    [
      [-1, -1],
      [1, 1],
    ],
  );
  assert.deepEqual(meaning("]", false, [32, 128]).step, [4, 4], "the longer side counts");
});

test("strides: fine ones for small images, none larger than the image", () => {
  assert.deepEqual(stridesFor([224, 224]), [4, 8, 12, 16, 24, 32]);
  assert.deepEqual(stridesFor([28, 32]), [1, 2, 3, 4, 8, 12, 16, 24]);
});

test("a feature map's colours begin at 0, or beneath where its values do", () => {
  const range = (...values) => rangeOfUnit(Float32Array.from(values));
  assert.deepEqual(range(0.5, 2), [0, 2]);
  assert.deepEqual(range(-0.5, 2), [-0.5, 2]);
  assert.deepEqual(range(-3, -1), [-3, 0]);
  assert.deepEqual(range(0, 0), [0, 1]);
});

test("of several pictures it is said which one is shown", () => {
  assert.equal(uploadedWords("a.jpg", 0), "Showing a.jpg");
  assert.equal(uploadedWords("a.jpg", 1), "Showing a.jpg; the other file was left out: drop one at a time.");
  assert.equal(uploadedWords("a.jpg", 2), "Showing a.jpg; the other 2 files were left out: drop one at a time.");
});

const facts = {
  run: 1,
  rows: 3,
  cols: 4,
  window: [48, 48],
  stride: [8, 8],
  origin: [24, 24],
  unoccluded: { probability: 0.5, activity: 4 },
  names: {},
};

test("cells, and where they lie", () => {
  assert.equal(cellOf(facts, [24, 24]), 0);
  assert.equal(cellOf(facts, [33, 47]), 7);
  assert.equal(cellOf(facts, [-90, 900]), 3, "beyond the map its edge");
  assert.deepEqual(cellCentre(facts, 7), [32, 48]);
  for (let cell = 0; cell < 12; cell += 1) assert.equal(cellOf(facts, cellCentre(facts, cell)), cell);
  assert.deepEqual(placeOn(facts, [80, 160]), { left: 20 / 160, top: 20 / 80, width: 32 / 160, height: 24 / 80 });
});

test("a map that grows shows in each cell the nearest that is computed", () => {
  assert.deepEqual([...nearestKnown(Float32Array.of(1, NO, NO, 2, NO, NO), 1, 6)], [0, 0, 3, 3, 3, 3]);
  assert.deepEqual([...nearestKnown(Float32Array.of(NO, NO, NO, 5), 2, 2)], [3, 3, 3, 3]);
  assert.deepEqual([...nearestKnown(Float32Array.of(NO, NO), 1, 2)], [-1, -1]);
});

test("an answer becomes a grid, with and without classes", () => {
  const content = { seq: 1, view: "a", ok: true, ...facts, rows: 1, cols: 2, complete: true, has: { probability: true } };
  const buffers = [Float32Array.of(1, 2), Float32Array.of(0.1, 0.2), Int32Array.of(3, 4), Float32Array.of(0.5, 0.6)].map(view);
  const grid = readGrid(content, buffers);
  assert.deepEqual([...grid.label], [3, 4]);
  assert.equal(grid.nearest, null);
  assert.equal("seq" in grid, false);
  const plain = readGrid({ ...content, complete: false, has: { probability: false } }, buffers);
  assert.equal(plain.probability, null);
  assert.deepEqual([...plain.nearest], [0, 1]);
});

test("a scale spans the map and the image without a patch, and makes no finding of noise", () => {
  assert.deepEqual(rangeOf({ ...facts, activity: Float32Array.of(1, NO, 3) }, "activity"), [1, 4]);
  const [low, high] = rangeOf({ ...facts, probability: Float32Array.of(0.5, 0.501) }, "probability");
  assert.ok(high - low >= 0.05 && low < 0.5 && high > 0.501);
  assert.equal(rangeOf({ ...facts, unoccluded: { probability: 0.001 }, probability: Float32Array.of(0) }, "probability")[0], 0);
  const spans = (...shares) =>
    rangeOf({ ...facts, unoccluded: { probability: shares[0] }, probability: Float64Array.from(shares) }, "probability").map((end) =>
      Number(end.toFixed(6)),
    );
  assert.deepEqual(spans(0.999, 0.997), [0.95, 1], "never beyond what a probability can be");
  assert.deepEqual(spans(0.004, 0.016), [0.002, 0.018], "of an improbable class a fourfold change is one");
  assert.deepEqual(spans(0, 0), [0, 0.05]);
});

test("the legend: the most frequent first, of what is computed", () => {
  const legend = legendOf({ label: Int32Array.of(7, 7, 3, -1), names: { 7: "lamp" } });
  assert.deepEqual(
    legend.map(({ name, share }) => [name, Math.round(share * 100)]),
    [
      ["lamp", 67],
      ["class 3", 33],
    ],
  );
});

test("classes are painted in the colours that the kernel gave them, where something is known", () => {
  let painted;
  globalThis.ImageData = class {
    constructor(data) {
      painted = [...new Uint32Array(data.buffer)];
    }
  };
  const canvas = { getContext: () => ({ putImageData() {} }) };
  const grid = { label: Int32Array.of(7, -1, 3), rows: 1, cols: 3, nearest: null, colours: { 3: "#f58518", 7: "#4c78a8" } };
  paintClasses(canvas, grid);
  assert.deepEqual(painted, [0xffa8784c, 0, 0xff1885f5]);
  paintClasses(canvas, { ...grid, nearest: Int32Array.of(0, 0, 2) }, 3);
  assert.deepEqual(painted, [0x30a8784c, 0x30a8784c, 0xff1885f5], "the nearest known; the others faint");
  paintClasses(canvas, { ...grid, nearest: Int32Array.of(-1, -1, -1), label: Int32Array.of(-1, -1, -1) });
  assert.deepEqual(painted, [0, 0, 0]);
});

test("values in viridis", () => {
  assert.equal(viridisPixel(5, [0, 5]) >>> 0, 0xff25e7fd, "yellow, as a canvas keeps it");
  assert.equal(viridisPixel(-1, [0, 5]) >>> 0, 0xff540144);
});

test("of questions that come fast, one flies, the newest waits, and the next is sent before the last is drawn", async () => {
  const order = [];
  let release;
  const newest = new NewestOnly({
    ask: (question) => {
      order.push(`ask ${question}`);
      return new Promise((resolve) => {
        release = () => resolve(question);
      });
    },
    draw: (answer) => order.push(`draw ${answer}`),
    clock: () => 0, // it would see a rhythm in how fast this runs
    failed: (error) => order.push(error.message),
  });
  for (const question of [1, 2, 3]) newest.want(question);
  release();
  await new Promise(setImmediate);
  release();
  await new Promise(setImmediate);
  newest.want(4);
  assert.deepEqual(order, ["ask 1", "ask 3", "draw 1", "draw 3", "ask 4"]);
});

test("what flies already is not asked again, and what waited for its answer in vain is forgotten", async () => {
  const order = [];
  let release;
  const newest = new NewestOnly({
    ask: (question) => {
      order.push(question);
      return new Promise((resolve) => {
        release = () => resolve(question);
      });
    },
    draw: () => {},
    clock: () => 0, // it would see a rhythm in how fast this runs
    failed: (error) => order.push(error.message),
    same: (one, other) => one === other,
  });
  for (const question of ["a", "a", "b", "a"]) newest.want(question);
  release();
  await new Promise(setImmediate);
  assert.deepEqual(order, ["a"], "back at a before b was sent: nothing is left to ask");
  newest.want("a");
  assert.deepEqual(order, ["a", "a"], "it was answered: whoever asks now may get another answer");
});

/** Questions every 16 ms, by a clock that stands where it is put. */
function steadily() {
  const order = [];
  const clock = { now: 0 };
  const flights = [];
  const newest = new NewestOnly({
    ask: (question) => {
      order.push(`ask ${question} at ${clock.now}`);
      return new Promise((resolve) => flights.push(() => resolve(question)));
    },
    draw: (answer) => order.push(`draw ${answer} at ${clock.now}`),
    failed: (error) => order.push(error.message),
    same: (one, other) => one === other,
    clock: () => clock.now,
  });
  const want = async (now, question) => {
    clock.now = now;
    newest.want(question);
    await new Promise(setImmediate);
  };
  const answer = async (now) => {
    clock.now = now;
    flights.shift()();
    await new Promise(setImmediate);
  };
  return { order, newest, want, answer };
}

test("a fresher question that is nearer than the one that waits is old is awaited", async () => {
  const { order, want, answer } = steadily();
  for (const question of [1, 2, 3]) await want(16 * question, question);
  await answer(60); // 3 is 12 ms old, 4 is due in 4
  await want(62, 3); // the frame's own word of a place that is known
  assert.deepEqual(order.splice(0), ["ask 1 at 16", "draw 1 at 60"]);
  await want(64, 4);
  await want(80, 5);
  await answer(84); // 5 is 4 ms old, 6 due in 12
  assert.deepEqual(order, ["ask 4 at 64", "ask 5 at 84", "draw 4 at 84"]);
});

test("where the fresher question does not come, the last one is asked all the same", async () => {
  const { order, want, answer } = steadily();
  for (const question of [1, 2, 3]) await want(16 * question, question);
  await answer(60);
  await new Promise((resolve) => setTimeout(resolve, 30));
  await answer(70);
  assert.deepEqual(order, ["ask 1 at 16", "draw 1 at 60", "ask 3 at 60", "draw 3 at 70"]);
  await want(500, 4);
  await want(900, 5); // no rhythm: nothing is known of when the next one comes
  await answer(1000);
  assert.deepEqual(order.splice(4), ["ask 4 at 500", "ask 5 at 1000", "draw 4 at 1000"]);
  await want(1100, 6);
  await want(1300, 7);
  await answer(1450); // 7 is 150 ms old, and would be due in 50 if that were a rhythm
  assert.deepEqual(order.slice(4), ["ask 7 at 1450", "draw 5 at 1450"]);
});

test("during the wait, what was answered last may be asked again", async () => {
  const { order, want, answer } = steadily();
  for (const question of [1, 2, 3]) await want(16 * question, question);
  await answer(60);
  await want(62, 1); // back where the patch was
  assert.deepEqual(order, ["ask 1 at 16", "draw 1 at 60", "ask 1 at 62"]);
});

test("what is no longer wanted during the wait is not asked", async () => {
  const { order, newest, want, answer } = steadily();
  for (const question of [1, 2, 3]) await want(16 * question, question);
  await answer(60);
  newest.drop();
  await new Promise((resolve) => setTimeout(resolve, 30));
  await want(100, 4);
  assert.deepEqual(order, ["ask 1 at 16", "draw 1 at 60", "ask 4 at 100"]);
});

test("a question that fails is told, and the next one is asked", async () => {
  const told = [];
  const newest = new NewestOnly({
    ask: async (question) => {
      if (question === 1) throw new Error("no");
      return question;
    },
    draw: (answer) => told.push(answer),
    clock: () => 0, // it would see a rhythm in how fast this runs
    failed: (error) => told.push(error.message),
  });
  newest.want(1);
  newest.want(2);
  await new Promise(setImmediate);
  assert.deepEqual(told, ["no", 2]);
});

test("answers in order, changes and progress in words", () => {
  const classes = [
    { label: 1, now: 0.2 },
    { label: 2, now: 0.5 },
    { label: 9, now: 0.01 },
  ];
  assert.deepEqual(
    answerOrder(classes, 9).map(({ label }) => label),
    [9, 2, 1],
  );
  assert.equal(changeWords({ before: 0.91, now: 0.07 }), "−84");
  assert.equal(changeWords({ before: 0.1, now: 0.33 }), "+23");
  assert.equal(changeWords({ before: 0.1, now: 0.101 }), "");
  assert.equal(gridWords({ done: 81, total: 529, complete: false, method: "full" }, false), "81 of 529 positions · exact, whole images");
  assert.equal(gridWords({ done: 1, total: 1, complete: true }, false), "1 position · exact");
});

test("a class by what was typed", () => {
  const classes = ["sea lion", "lion", "lamp", "sea horse"];
  assert.deepEqual(classNamed(classes, " Lion"), { label: 1 });
  assert.deepEqual(classNamed(classes, "hor"), { label: 3 });
  assert.match(classNamed(classes, "sea").words, /^2 classes have “sea”: sea lion, sea horse$/);
  assert.match(classNamed(classes, "zebra").words, /no class “zebra” among the 4/);
});
