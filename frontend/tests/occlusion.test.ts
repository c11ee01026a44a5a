import assert from "node:assert/strict";
import { test } from "node:test";
import type { Quantity } from "../src/kernel/wire.ts";
import { listOrder } from "../src/occlusion/class_scores.ts";
import { describeCount, formatDifference } from "../src/occlusion/compared_maps.ts";
import { boxAt, centreOf, formatSize, type Point, patchAction, patchAt, positionBeside, snapToPixels } from "../src/occlusion/geometry.ts";
import { describeProgress, stridesFor } from "../src/occlusion/map_controls.ts";
import {
  availableMaps,
  cellAt,
  cellCentre,
  colourRange,
  legendOf,
  mapBox,
  nearestComputed,
  readGrid,
  shownMap,
} from "../src/occlusion/map_grid.ts";
import { describeCell } from "../src/occlusion/maps.ts";
import { featureMapRange } from "../src/occlusion/store.ts";
import { findClass } from "../src/occlusion/target_classes.ts";
import type { MapsReply } from "../src/occlusion/wire.ts";
import { colourPixel, drawClasses } from "../src/ui/colormap.ts";
import { describeUpload } from "../src/ui/image_upload.ts";
import { describeQuantity, formatScore, formatScoreChange } from "../src/ui/quantity.ts";
import { unaligned } from "./fake_model.ts";

const NO = Number.NaN;

test("a box and its centre are consistent, for any window", () => {
  for (const window of [
    [48, 48],
    [7, 10],
    [1, 1],
    [64, 5],
  ] as Point[]) {
    for (const point of [
      [0, 0],
      [112, 111.6],
      [223.9, 3],
      [-50, 400],
    ] as Point[]) {
      const centre = snapToPixels(point, window, [224, 224]);
      const [left, top, right, bottom] = boxAt(centre, window);
      assert.deepEqual([bottom - top, right - left], window);
      assert.deepEqual(centreOf([left, top, right, bottom]), centre);
      assert.deepEqual(snapToPixels(centre, window, [224, 224]), centre, "and stays");
      assert.ok(
        centre.every((place) => place >= 0 && place <= 224),
        "at least half of it is on the image",
      );
    }
  }
  assert.deepEqual(boxAt([24, 24], [48, 48]), [0, 0, 48, 48]);
  assert.deepEqual(boxAt([2.5, 2.5], [5, 5]), [0, 0, 5, 5], "the first window of an odd size");
  assert.equal(formatSize([48, 48]), "48 px");
  assert.equal(formatSize([48, 16]), "48 × 16 px");
});

test("a press selects the uppermost patch at its position, else the nearest", () => {
  const patches: Point[] = [
    [50, 50],
    [60, 60],
    [200, 200],
  ];
  assert.equal(patchAt(patches, [40, 40], [55, 55]), 1);
  assert.equal(patchAt(patches, [40, 40], [35, 35]), 0);
  assert.equal(patchAt(patches, [40, 40], [150, 150]), 2);
  assert.equal(patchAt([], [40, 40], [1, 1]), -1);
});

test("a new patch is placed next to the active one, inside the image", () => {
  assert.deepEqual(positionBeside(undefined, [40, 40], [224, 224]), [112, 112]);
  assert.deepEqual(positionBeside([100, 100], [40, 40], [224, 224]), [100, 150]);
  assert.deepEqual(positionBeside([100, 200], [40, 40], [224, 224]), [100, 150]);
});

test("keys", () => {
  const action = (key: string, shiftKey = false, size: Point = [224, 224]) => patchAction({ key, shiftKey }, size);
  const step = (key: string, size?: Point) => {
    const found = action(key, false, size);
    return found && "step" in found ? found.step : null;
  };
  assert.deepEqual(action("ArrowUp"), { type: "move", step: [-1, 0] });
  assert.deepEqual(action("ArrowRight", true), { type: "move", step: [0, 8] });
  assert.equal(action("Delete")?.type, "remove");
  assert.equal(action("x"), null);
  assert.deepEqual(
    ["[", "]"].map((key) => step(key)),
    [
      [-4, -4],
      [4, 4],
    ],
  );
  assert.deepEqual(
    ["[", "]"].map((key) => step(key, [127, 64])),
    [
      [-1, -1],
      [1, 1],
    ],
  );
  assert.deepEqual(step("]", [32, 128]), [4, 4], "the longer side counts");
});

test("strides: small strides for small images, none larger than the image", () => {
  assert.deepEqual(stridesFor([224, 224]), [4, 8, 12, 16, 24, 32]);
  assert.deepEqual(stridesFor([28, 32]), [1, 2, 3, 4, 8, 12, 16, 24]);
});

test("a feature map's colours begin at 0, or at its lowest value where that is lower", () => {
  const range = (...values: number[]) => featureMapRange(Float32Array.from(values));
  assert.deepEqual(range(0.5, 2), [0, 2]);
  assert.deepEqual(range(-0.5, 2), [-0.5, 2]);
  assert.deepEqual(range(-3, -1), [-3, 0]);
  assert.deepEqual(range(0, 0), [0, 1]);
});

test("a message names the file that is shown of several", () => {
  assert.equal(describeUpload("a.jpg", 0), "Uploaded a.jpg.");
  assert.equal(describeUpload("a.jpg", 1), "Uploaded a.jpg; the other file was ignored. Drop one file at a time.");
  assert.equal(describeUpload("a.jpg", 2), "Uploaded a.jpg; the other 2 files were ignored. Drop one file at a time.");
});

const REPLY: MapsReply = {
  run: 1,
  done: 12,
  total: 12,
  complete: true,
  rows: 3,
  cols: 4,
  target: 3,
  against: null,
  layer: "conv5",
  unit: 2,
  unoccluded: { probability: 0.5, label: 3, label_probability: 0.5, activity: 4, value: null, against: null },
  window: [48, 48],
  stride: [8, 8],
  border: "inside",
  method: "full",
  origin: [24, 24],
  names: {},
  colours: {},
  has_classes: true,
  quantity: { kind: "probability", task: "softmax", activation: "softmax", unit: "" },
};
const METRES: Quantity = { kind: "value", task: "regression", activation: "none", unit: "m" };

test("positions of cells", () => {
  assert.equal(cellAt(REPLY, [24, 24]), 0);
  assert.equal(cellAt(REPLY, [33, 47]), 7);
  assert.equal(cellAt(REPLY, [-90, 900]), 3, "beyond the map: its edge");
  assert.deepEqual(cellCentre(REPLY, 7), [32, 48]);
  for (let cell = 0; cell < 12; cell += 1) assert.equal(cellAt(REPLY, cellCentre(REPLY, cell)), cell);
  assert.deepEqual(mapBox(REPLY, [80, 160]), { left: 20 / 160, top: 20 / 80, width: 32 / 160, height: 24 / 80 });
});

test("each cell of a partial map shows the nearest computed value", () => {
  assert.deepEqual([...nearestComputed(Float32Array.of(1, NO, NO, 2, NO, NO), 1, 6)], [0, 0, 3, 3, 3, 3]);
  assert.deepEqual([...nearestComputed(Float32Array.of(NO, NO, NO, 5), 2, 2)], [3, 3, 3, 3]);
  assert.deepEqual([...nearestComputed(Float32Array.of(NO, NO), 1, 2)], [-1, -1]);
});

test("a reply is decoded as a grid, with and without classes", () => {
  const reply = { ...REPLY, rows: 1, cols: 2 };
  const buffers = [Float32Array.of(1, 2), Float32Array.of(0.1, 0.2), Int32Array.of(3, 4), Float32Array.of(0.5, 0.6)].map(unaligned);
  const grid = readGrid(reply, buffers);
  assert.deepEqual([...(grid.label ?? [])], [3, 4]);
  assert.equal(grid.nearest, null);
  const plain = readGrid({ ...reply, complete: false, has_classes: false, quantity: null }, buffers);
  assert.equal(plain.probability, null);
  assert.deepEqual([...(plain.nearest ?? [])], [0, 1]);
});

test("the colour range includes the map and the unoccluded value, and has a minimum width", () => {
  assert.deepEqual(colourRange({ ...REPLY, activity: Float32Array.of(1, NO, 3) }, "activity"), [1, 4]);
  const [low, high] = colourRange({ ...REPLY, probability: Float32Array.of(0.5, 0.501) }, "probability");
  assert.ok(high - low >= 0.05 && low < 0.5 && high > 0.501);
  assert.equal(
    colourRange({ ...REPLY, unoccluded: { ...REPLY.unoccluded, probability: 0.001 }, probability: Float32Array.of(0) }, "probability")[0],
    0,
  );
  const spans = (...shares: [number, number]) => {
    const unoccluded = { ...REPLY.unoccluded, probability: shares[0] };
    const range = colourRange({ ...REPLY, unoccluded, probability: Float32Array.from(shares) }, "probability");
    return range.map((end) => Number(end.toFixed(6)));
  };
  assert.deepEqual(spans(0.999, 0.997), [0.95, 1], "never beyond what a probability can be");
  assert.deepEqual(spans(0.004, 0.016), [0.002, 0.018], "a fourfold change of an improbable class is visible");
  assert.deepEqual(spans(0, 0), [0, 0.05]);
});

test("a regression's maps: values instead of probabilities, on a scale about the value without a patch", () => {
  const unoccluded = { ...REPLY.unoccluded, probability: null, label: null, label_probability: null, value: 2 };
  const reply = { ...REPLY, rows: 1, cols: 2, has_classes: false, quantity: METRES, unoccluded };
  const grid = readGrid(reply, [Float32Array.of(1, 2), Float32Array.of(-1, 2.5), new Int32Array(), new Float32Array()].map(unaligned));
  assert.deepEqual([grid.probability, grid.label, [...(grid.value ?? [])]], [null, null, [-1, 2.5]]);
  assert.deepEqual(colourRange(grid, "value"), [-1, 5], "3 less and 0.5 more: white is 2");
  assert.equal(describeCell(grid, 0).value, "here: -1 m");
  assert.equal(colourPixel(2, [2, 2], "diverging") >>> 0, colourPixel(2, [-1, 5], "diverging") >>> 0, "no change is the middle");
  assert.equal(colourPixel(-1, [-1, 5], "diverging") >>> 0, 0xffac6621, "blue is less");
  assert.equal(colourPixel(5, [-1, 5], "diverging") >>> 0, 0xff2b18b2, "red is more");
});

test("the map in place of one that the model does not predict", () => {
  assert.equal(shownMap("probability", METRES), "value");
  assert.equal(shownMap("label", METRES), "value");
  assert.equal(shownMap("activity", METRES), "activity");
  assert.equal(shownMap("value", REPLY.quantity), "probability");
  assert.equal(shownMap("label", null), "activity");
  assert.deepEqual(availableMaps(METRES), ["value", "activity"]);
});

test("quantities in words", () => {
  assert.equal(formatScore(METRES, 2.34567), "2.346 m");
  assert.equal(formatScore(METRES, Number.NaN), "–");
  assert.equal(formatScore(METRES, -0.00012345), "-1.234e-4 m");
  assert.equal(formatScore({ ...METRES, unit: "" }, 12345.6), "12,346");
  assert.equal(formatScore(null, 0.5), "50%");
  assert.equal(formatScoreChange(METRES, { before: 3, now: 2.5 }), "−0.5");
  assert.equal(formatScoreChange(METRES, { before: 3, now: 3 }), "");
  assert.equal(describeQuantity(METRES, "depth"), "Depth in m");
  assert.equal(describeQuantity(REPLY.quantity, "cat"), "Probability of cat");
  const outputs = [
    { label: 1, name: "x", before: 0, now: 9 },
    { label: 0, name: "y", before: 0, now: -3 },
  ];
  assert.deepEqual(
    listOrder(outputs, { target: 1, against: null }, METRES).map(({ label }) => label),
    [0, 1],
    "outputs stay in their order",
  );
});

test("two classes that are compared have the same scale, and their difference one about 0", () => {
  const [scores, against] = [Float32Array.of(0.7, 0.2), Float32Array.of(0.1, 0.6)];
  const unoccluded = { ...REPLY.unoccluded, probability: 0.8, against: 0.1 };
  const reply = { ...REPLY, rows: 1, cols: 2, total: 2, done: 2, against: 5, unoccluded, names: { 3: "cougar" } };
  const buffers = [Float32Array.of(1, 2), scores, Int32Array.of(3, 5), scores, against].map(unaligned);
  const grid = readGrid(reply, buffers);
  const rounded = (range: number[]) => range.map((end) => Number(end.toFixed(3)));
  assert.deepEqual(rounded([...(grid.difference ?? [])]), [0.6, -0.4]);
  assert.deepEqual(rounded(colourRange(grid, "probability")), [0.1, 0.8]);
  assert.deepEqual(colourRange(grid, "against"), colourRange(grid, "probability"));
  assert.deepEqual(rounded(colourRange(grid, "difference")), [-0.7, 0.7]);
  assert.equal(describeCount(grid), "cougar is no longer ahead at 1 of 2 positions");
  assert.equal(formatDifference(-0.4), "−40");
});

test("the legend lists the computed classes by frequency", () => {
  const legend = legendOf({ label: Int32Array.of(7, 7, 3, -1), names: { 7: "lamp" } });
  assert.deepEqual(
    legend.map(({ name, share }) => [name, Math.round(share * 100)]),
    [
      ["lamp", 67],
      ["class 3", 33],
    ],
  );
});

test("computed cells have the colours that the kernel sends", () => {
  let painted: number[] = [];
  class FakeImageData {
    constructor(data: Uint8ClampedArray) {
      painted = [...new Uint32Array(data.buffer)];
    }
  }
  Object.assign(globalThis, { ImageData: FakeImageData });
  const canvas = { getContext: () => ({ putImageData() {} }) } as unknown as HTMLCanvasElement;
  const grid = { label: Int32Array.of(7, -1, 3), rows: 1, cols: 3, nearest: null, colours: { 3: "#f58518", 7: "#4c78a8" } };
  drawClasses(canvas, grid);
  assert.deepEqual(painted, [0xffa8784c, 0, 0xff1885f5]);
  drawClasses(canvas, { ...grid, nearest: Int32Array.of(0, 0, 2) }, 3);
  assert.deepEqual(painted, [0x30a8784c, 0x30a8784c, 0xff1885f5], "the nearest that is computed; other classes are faint");
  drawClasses(canvas, { ...grid, nearest: Int32Array.of(-1, -1, -1), label: Int32Array.of(-1, -1, -1) });
  assert.deepEqual(painted, [0, 0, 0]);
});

test("values have the colours of viridis", () => {
  assert.equal(colourPixel(5, [0, 5]) >>> 0, 0xff25e7fd, "yellow, as a canvas keeps it");
  assert.equal(colourPixel(-1, [0, 5]) >>> 0, 0xff540144);
});

test("classes in order, changes and progress as text", () => {
  const classes = [
    { label: 1, name: "a", before: 0, now: 0.2 },
    { label: 2, name: "b", before: 0, now: 0.5 },
    { label: 9, name: "c", before: 0, now: 0.01 },
  ];
  assert.deepEqual(
    listOrder(classes, { target: 9, against: null }).map(({ label }) => label),
    [9, 2, 1],
  );
  assert.deepEqual(
    listOrder(classes, { target: 9, against: 1 }).map(({ label }) => label),
    [9, 1, 2],
    "the class that the target is compared with is the second",
  );
  assert.equal(formatScoreChange(REPLY.quantity, { before: 0.91, now: 0.07 }), "−84");
  assert.equal(formatScoreChange(REPLY.quantity, { before: 0.1, now: 0.33 }), "+23");
  assert.equal(formatScoreChange(REPLY.quantity, { before: 0.1, now: 0.101 }), "");
  assert.equal(
    describeProgress({ done: 81, total: 529, complete: false, method: "full" }, false),
    "81 of 529 positions · whole image each time",
  );
  assert.equal(describeProgress({ done: 1, total: 1, complete: true, method: "" }, false), "1 position");
});

test("a class is found by its name", () => {
  const classes = ["sea lion", "lion", "lamp", "sea horse"];
  assert.deepEqual(findClass(classes, " Lion"), { label: 1 });
  assert.deepEqual(findClass(classes, "hor"), { label: 3 });
  assert.deepEqual(findClass(classes, "sea"), { message: "2 classes match “sea”: sea lion, sea horse" });
  assert.deepEqual(findClass(classes, "zebra"), {
    message: "There is no class “zebra” among the 4 classes. Select a class from the list.",
  });
});
