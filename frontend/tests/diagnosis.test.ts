import assert from "node:assert/strict";
import { test } from "node:test";
import { barText, describeAfter, describeAliasing, shareText } from "../src/diagnosis/aliasing.ts";
import { cursorOf, describeAccuracy, describeMeasure } from "../src/diagnosis/arms.ts";
import { neighbourFinding, shownFinding, shownUnit } from "../src/diagnosis/chosen.ts";
import { highestOf } from "../src/diagnosis/curve_chart.ts";
import { comparedLayer, curveClass, labelPlaces, layerOpacity, namedLayers, nearestLayer } from "../src/diagnosis/curve_layers.ts";
import { describeNorms, describeWay } from "../src/diagnosis/input_check.ts";
import { keyAction } from "../src/diagnosis/keyboard.ts";
import { changeBar } from "../src/diagnosis/layer_row.ts";
import { clampShift, describeFilled, describeShift } from "../src/diagnosis/stage.ts";
import { axisTicks, strideMarks } from "../src/diagnosis/stride_marks.ts";
import { describeFindings, describePhase, describeWeights, filterBands, frequencyText, signedPercent } from "../src/diagnosis/texts.ts";
import type { Arm, Curves, Diagnosis, DiagnosisState, Finding, FirstLayer, Status } from "../src/diagnosis/wire.ts";

const first: FirstLayer = {
  name: "features.0",
  alias: "conv1",
  kernel_size: [11, 11],
  stride: [4, 4],
  bands: [0.06, 0.18],
  mean_shares: [0.1, 0.4, 0.5],
  noise_shares: [0.01, 0.09, 0.9],
  histogram: [0.5, 0.5],
  histogram_above: [0.1, 0.5],
  edges: [0, 0.25, 0.5],
  carried: 0.125,
  aliased_mean: 0.38,
  photographs: 20,
  centre: [0.3, 0.1, null, 0.02, 0.2],
  shares: [
    [0, 0.2, 0.8],
    [0.1, 0.8, 0.1],
    [null, null, null],
    [1, 0, 0],
    [0, 0.3, 0.7],
  ],
  aliased: [0.9, 0.1, null, 0, 0.95],
  map_aliasing: null,
  rms_ratio: [1, 1.6, 0, 2, 0.5],
};
const finding = (check: string, level: Finding["level"], units: Finding["units"] = []): Finding => ({
  check,
  level,
  title: check,
  count_text: "",
  summary: "",
  evidence: "",
  paper: "",
  units,
  surgeries: [],
});
const diagnosis: Diagnosis = {
  model: "net",
  images: "photos",
  photographs: 20,
  shift_photographs: 20,
  units: 5,
  findings: [finding("aliasing", "found"), finding("near_copies", "near", [{ layer: "conv2", unit: 7, value: 1, text: "" }])],
  first_layer: first,
  input: { photographs: 0, norms: [], norm_count: 0, labelled: 0, ways: [] },
  notes: [],
};
const state: DiagnosisState = { finding: null, sort: "frequency", unit: null, image: "crop:0", shift: [0, 0], layers: "few", arm: 0 };
const curves: Curves = {
  layers: ["conv1", "conv2"],
  strides: [4, 8],
  deepest: "conv2",
  shifts: [0, 1, 2, 4],
  direction: "right",
  changes: [
    [0, 0.1, 0.2, 0],
    [0, 0.05, null, 0.12],
  ],
  probability: [0, 0.01, 0.3, 0.02],
  reference: "label",
  photographs: 20,
  labelled: 18,
  filled: 0,
};
const arm = (number: number, top1: number | null): Arm => ({
  arm: number,
  label: `arm ${number}`,
  parent: number ? 0 : null,
  steps: [],
  kept: 1200,
  cut: 0,
  new: 0,
  phase: "done",
  progress: null,
  problem: null,
  curves,
  accuracy: top1 === null ? null : { top1, photographs: 200 },
  no_accuracy: top1 === null ? "there are no labels." : "",
  aliasing: null,
  no_aliasing: "",
});

test("a shift stays within the margin and in whole pixels", () => {
  assert.deepEqual(clampShift([3.6, -40], 32), [4, -32]);
  assert.deepEqual(clampShift([-0.4, 0.4], 32), [0, 0]);
  assert.ok(!Object.is(clampShift([-0.4, 0], 32)[0], -0));
  assert.equal(describeShift([5, -2]), "5 px right, 2 px up");
  assert.equal(describeShift([0, 0]), "not shifted");
});

test("the curves say on how many photographs each was measured", () => {
  const [all, some] = [curves.photographs, curves.photographs - 2];
  assert.match(
    describeMeasure({ ...curves, labelled: some, filled: 3 }),
    new RegExp(`class’s probability \\(${some} labelled photographs\\)`),
  );
  assert.match(describeMeasure({ ...curves, labelled: some, filled: 3 }), /On 3 photographs, edge pixels are repeated/);
  assert.doesNotMatch(describeMeasure({ ...curves, labelled: all, filled: 0 }), /labelled|repeated/);
});

test("what is filled depends on the side that moves in", () => {
  const photograph = { filled: [16, 0, 32, 0] as [number, number, number, number], margin: 32 };
  assert.equal(describeFilled(photograph, [10, 0]), "");
  assert.equal(describeFilled(photograph, [20, 5]), "4 px beside the photograph repeat its edge");
  assert.equal(describeFilled(photograph, [-3, 0]), "3 px beside the photograph repeat its edge");
});

test("filters are in bands by their largest share, then by their mean frequency", () => {
  const bands = filterBands(first, "frequency");
  assert.deepEqual(
    bands.map(({ units }) => units),
    [[2, 3], [1], [4, 0]],
  );
  assert.match(bands[2]?.text ?? "", /^2 filters · 50% of the energy of all filters · above 0.18$/);
  assert.deepEqual(filterBands(first, "aliasing")[0]?.units, [4, 0, 1, 3, 2]);
  assert.deepEqual(filterBands(first, "rms")[0]?.units, [3, 1, 0, 4, 2]);
});

test("the open finding and its worst unit", () => {
  assert.equal(shownFinding(diagnosis, state)?.check, "aliasing");
  assert.deepEqual(shownUnit(diagnosis, state), ["conv1", 4]); // the most aliased filter
  assert.deepEqual(shownUnit(diagnosis, { ...state, finding: "near_copies" }), ["conv2", 7]);
  assert.deepEqual(shownUnit(diagnosis, { ...state, unit: ["conv5", 1] }), ["conv5", 1]);
  assert.equal(neighbourFinding(diagnosis, state, 1)?.check, "near_copies");
  assert.equal(neighbourFinding(diagnosis, state, -1)?.check, "aliasing");
  assert.equal(describeFindings(diagnosis.findings), "2 checks: 1 found, 1 near the limit");
});

test("changes have a sign, and no change has none", () => {
  assert.equal(signedPercent(0.071), "+7%");
  assert.equal(signedPercent(-0.004), "0%");
  assert.equal(signedPercent(-0.13, 1), "−13.0%");
  assert.equal(signedPercent(null), "–");
  assert.deepEqual(changeBar(-0.2), { left: 30, width: 20 });
  assert.deepEqual(changeBar(3), { left: 50, width: 50 });
  assert.equal(frequencyText(0.125), "1/8");
});

test("curves: their largest value, cursor and names", () => {
  assert.equal(highestOf([curves]), 30);
  assert.equal(cursorOf(curves, [4, 0]), 4);
  assert.equal(cursorOf(curves, [3, 0]), 3); // between two measured shifts
  assert.equal(cursorOf(curves, [5, 0]), null);
  assert.equal(cursorOf(curves, [-1, 0]), null);
  assert.equal(cursorOf(curves, [4, 1]), null);
  assert.deepEqual(labelPlaces([50, null, 52, 90], 12), [50, null, 62, 90]);
  assert.equal(layerOpacity(0, 1), 1);
  assert.ok(layerOpacity(0, 5) < layerOpacity(4, 5));
});

test("the multiples of the deepest stride within the curves are marked", () => {
  const shifts = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16];
  const marks = (...strides: number[]) => strideMarks({ layers: strides.map((_, index) => `conv${index + 1}`), strides, shifts });
  assert.deepEqual(marks(4, 8, 16), { layer: "conv3", stride: 16, shifts: [16] });
  assert.deepEqual(marks(4, 8), { layer: "conv2", stride: 8, shifts: [8, 16] });
  assert.deepEqual(marks(4, 8, 32), { layer: "conv2", stride: 8, shifts: [8, 16] }); // 32 px is beyond the curves
  assert.deepEqual(marks(4, 0), { layer: "conv1", stride: 4, shifts: [4, 8, 12, 16] }); // 0: without a grid
  assert.deepEqual(marks(3)?.shifts, [3, 6, 12]); // 9 and 15 are not measured
  assert.equal(marks(1, 1), null);
  assert.equal(marks(), null);
  assert.match(describeMeasure(curves), /Vertical dotted lines: multiples of the stride/);
  assert.doesNotMatch(describeMeasure({ ...curves, strides: [1, 32] }), /dotted/);
});

test("the axis has multiples of 4, or of a stride that has others", () => {
  const shifts = [0, 1, 2, 16];
  for (const stride of [undefined, 1, 2, 4, 16]) assert.deepEqual(axisTicks(shifts, stride), [0, 4, 8, 12, 16]);
  assert.deepEqual(axisTicks(shifts, 6), [0, 6, 12]);
  assert.deepEqual(axisTicks([0, 1, 2], undefined), [0]);
});

test("accuracies say what surgery costs, and why there are none", () => {
  assert.equal(describeAccuracy([arm(0, 0.935)]), "Top-1 on 200 labelled photographs.");
  assert.match(describeAccuracy([arm(0, 0.935), arm(1, 0.88)]), /photographs: −5\.5 points without training/);
  assert.match(describeAccuracy([arm(0, 0.9), arm(1, 0.91)]), /photographs: \+1\.0 points without training/);
  assert.equal(describeAccuracy([arm(0, null)]), "No accuracy: there are no labels.");
  assert.equal(describeWeights(arm(1, 0.5)), "all weights kept");
  assert.equal(describeWeights({ ...arm(1, 0.5), cut: 20, new: 3 }), "1,200 weights kept, 20 cut, 3 new");
});

test("what is aliased of each arm's map stands beside that of the network as it is", () => {
  const map = { layer: "conv1", stride: [4, 4] as [number, number], blurred: false, mean: 0.312, unblurred_mean: 0.312, photographs: 10 };
  const base = { ...arm(0, 0.9), aliasing: map };
  const blurred = { ...arm(1, 0.9), aliasing: { ...map, blurred: true, mean: 0.0152 } };
  assert.equal(describeAfter([base]), "");
  assert.equal(describeAfter([base, blurred]), "arm 1: 31% before, 1.5% after, in the map of conv1.");
  assert.match(
    describeAfter([base, { ...arm(2, 0.9), no_aliasing: "It is subsampled twice." }]),
    /^arm 2: not checked\. It is subsampled twice/,
  );
  assert.match(describeAliasing([base, blurred]), /^Aliased: share of the energy of the map of conv1, .* 10 photographs\. Not included/);
  assert.equal(describeAliasing([{ ...arm(0, 0.9), no_aliasing: "No convolution." }]), "Aliasing is not checked: No convolution.");
  assert.equal(describeAliasing([arm(0, 0.9)]), ""); // not measured yet
  assert.deepEqual([0, 0.0152, 0.0994, 0.0996, 1, null].map(shareText), ["0%", "1.5%", "9.9%", "10%", "100%", "–"]);
  assert.equal(barText(first), "Red bar: share of its response that stride 4 aliases. ");
  const after = {
    ...first,
    stride: [1, 1] as [number, number],
    map_aliasing: { ...map, blurred: true, stride: [1, 2] as [number, number] },
  };
  assert.equal(barText(after), "Red bar: share of its map that is aliased after the blur, subsampled by 1×2. ");
  assert.equal(barText({ ...after, map_aliasing: null }), "");
});

test("the phase of a diagnosis in words", () => {
  const status: Status = { version: 1, phase: "done", progress: null, problem: null, current: true, arms: [], ablation: null, uploads: [] };
  assert.equal(describePhase(status), "");
  assert.equal(describePhase({ ...status, current: false }), "The model has changed since it was diagnosed.");
  assert.equal(describePhase({ ...status, phase: "failed", problem: "No." }), "The diagnosis failed: No.");
});

test("keys: those of a slider are its own", () => {
  assert.deepEqual(keyAction("ArrowLeft", false), { type: "shift", right: -1 });
  assert.equal(keyAction("ArrowLeft", true), null);
  assert.deepEqual(keyAction("U", true), { type: "undo" });
  assert.equal(keyAction("x", false), null);
});

test("the tables of the input say how many batch norms there are, and which way is in use", () => {
  const norms = [{ name: "bn1", place: 1, divergence: 0.3 }];
  const check = { photographs: 100, norms, norm_count: 49, labelled: 0, ways: [] };
  assert.equal(describeNorms(check), "The 1 of 49 batch norms that diverge most from training (100 photographs), the worst first");
  assert.equal(
    describeNorms({ ...check, norm_count: 1, photographs: 1 }),
    "Divergence of the batch norms from training (1 photograph), the worst first",
  );
  const way = { label: "0 to 1", top1: 0.5, top5: null, given: false, better: false };
  assert.deepEqual(
    [describeWay({ ...way, given: true }), describeWay({ ...way, better: true }), describeWay(way)],
    ["in use", "better", ""],
  );
});

const deep = { layers: ["conv1", "conv2", "conv3", "conv4", "conv5", "conv6", "conv7", "conv8", "fc9", "fc10"], deepest: "conv8" };

test("the first layer, the deepest feature map, the last and the emphasised layer are named", () => {
  assert.deepEqual(namedLayers(deep, null), [0, 7, 9]);
  assert.deepEqual(namedLayers(deep, "conv4"), [0, 3, 7, 9]);
  assert.deepEqual(namedLayers(deep, "conv1"), [0, 7, 9]);
  assert.deepEqual(namedLayers(deep, "of another network"), [0, 7, 9]);
  assert.deepEqual(namedLayers({ layers: ["conv1"], deepest: "conv1" }, null), [0]);
});

test("of many curves those without a name are thin, and all but the emphasised one stand back", () => {
  assert.equal(curveClass(3, deep, null), "dwn-curve dwn-curve-thin");
  assert.equal(curveClass(7, deep, null), "dwn-curve");
  assert.equal(curveClass(0, curves, null), "dwn-curve");
  assert.equal(curveClass(3, deep, "conv4"), "dwn-curve dwn-curve-emphasised");
  assert.equal(curveClass(7, deep, "conv4"), "dwn-curve dwn-curve-other");
  assert.equal(curveClass(7, deep, "of another network"), "dwn-curve");
});

test("an arm is compared with the emphasised layer as it is, else with the deepest feature map", () => {
  assert.equal(comparedLayer(deep, null), 7);
  assert.equal(comparedLayer(deep, "conv1"), 0);
  assert.equal(comparedLayer(deep, "removed"), 7);
});

test("the curve that is pointed at is the nearest one, between the measured shifts too", () => {
  const toY = (share: number) => 100 - 100 * share;
  const some = {
    layers: ["conv1", "conv2"],
    shifts: [0, 1, 2],
    changes: [
      [0, 0.4, 0.2],
      [0, 0.1, null],
    ],
  };
  assert.equal(nearestLayer(some, 0.5, 81, toY), "conv1");
  assert.equal(nearestLayer(some, 1, 92, toY), "conv2");
  assert.equal(nearestLayer(some, 1.5, 70, toY), "conv1");
  assert.equal(nearestLayer(some, 1, 30, toY), null); // 30 px above the highest curve
  assert.equal(nearestLayer(some, 1.5, 95, toY), null); // conv2 has no value there
  assert.equal(nearestLayer(some, 5, 80, toY), "conv1"); // right of the last shift
});
