import assert from "node:assert/strict";
import { test } from "node:test";

import { PhotographStore, foldWords, groupedTests, photographWords, testsKey } from "../src/transfer/photographs.ts";
import { accuracyRange, accuracyWords, doneWords, runAccuracy, scaleRows } from "../src/transfer/headline.ts";
import { decayWords, pointsWords } from "../src/transfer/comparison.ts";

const wanted = (truth, more = {}) => ({ version: "1 5 done", run: 1, truth, prediction: null, right: null, limit: 24, ...more });
const passed = (ms = 0) => new Promise((resolve) => setTimeout(resolve, ms));

/** Decoded pictures without a browser, of which `bound` are kept. */
class FakePictures {
  constructor(bound = 1000) {
    this.kept = new Map();
    this.bound = bound;
  }
  get(key) {
    return this.kept.get(key);
  }
  has(key) {
    return this.kept.has(key);
  }
  async decode(key, data) {
    this.kept.set(key, data);
    if (this.kept.size > this.bound) this.kept.delete(this.kept.keys().next().value);
  }
  clear() {
    this.kept.clear();
  }
}

/** Twenty photographs a class; `held` keeps answers back, sources in `bad` cannot be opened. */
function makeWire({ bad = [] } = {}) {
  const wire = { asked: [], flying: 0, most: 0, held: null, broken: "" };
  wire.ask = async (kind, fields) => {
    wire.asked.push([kind, fields]);
    wire.most = Math.max(wire.most, (wire.flying += 1));
    if (wire.held) await wire.held;
    await passed();
    wire.flying -= 1;
    if (wire.broken) throw new Error(wire.broken);
    if (kind === "photographs") {
      const all = Array.from({ length: 20 }, (_, at) => ({
        source: 100 * (fields.truth ?? 0) + at,
        name: "",
        fold: 0,
        truth: 0,
        prediction: 1,
        confidence: null,
      }));
      return { content: { photographs: all.slice(0, fields.limit), total: 20 }, buffers: [] };
    }
    if (fields.sources.some((source) => bad.includes(source))) throw new Error("one cannot be opened");
    return { content: { pictures: fields.sources.map(() => ({ mime: "image/jpeg" })) }, buffers: fields.sources };
  };
  wire.sources = () => wire.asked.filter(([kind]) => kind === "thumbnails").map(([, fields]) => fields.sources);
  return wire;
}

async function settled(store) {
  for (let turn = 0; turn < 200 && store.busy; turn += 1) await passed(1);
  const stuck = store.busy;
  if (stuck) store.close(); // else this test would never end
  assert.ok(!stuck, "it comes to an end");
}

const make = (wire, pictures = new FakePictures()) => new PhotographStore({ wire, ratio: 1, pictures });

test("lists first, then thumbnails in batches of at most 24; one request at a time", async () => {
  const wire = makeWire();
  const store = make(wire);
  store.want("classes", [wanted(0), wanted(1)]);
  await settled(store);
  assert.deepEqual(
    wire.asked.map(([kind]) => kind),
    ["photographs", "photographs", "thumbnails", "thumbnails"],
  );
  assert.deepEqual(
    wire.sources().map((one) => one.length),
    [24, 16],
  );
  assert.equal(wire.most, 1);
  assert.equal(wire.asked[2][1].size, 96);
  assert.ok(store.picture(1, 105).bitmap !== undefined);
});

test("what is there is not asked for again, by whichever view", async () => {
  const wire = makeWire();
  const store = make(wire);
  store.want("cell", [wanted(0)]);
  await settled(store);
  const before = wire.asked.length;
  store.want("cell", []);
  store.want("mistakes", [wanted(0)]);
  await settled(store);
  assert.equal(wire.asked.length, before);
  store.want("mistakes", [wanted(0, { limit: 12 })]);
  await settled(store);
  assert.deepEqual(
    wire.asked.slice(before).map(([kind]) => kind),
    ["photographs"],
    "its photographs are there",
  );
  store.want("mistakes", [wanted(0, { version: "1 5 done again" })]);
  await settled(store);
  assert.equal(wire.asked.at(-1)[0], "photographs", "a run that went on is asked again");
});

test("the newest wish goes first, and a wish while nothing was to be done is not lost", async () => {
  const wire = makeWire();
  const store = make(wire);
  let release;
  wire.held = new Promise((resolve) => (release = resolve));
  store.want("classes", [wanted(0), wanted(1), wanted(2)]);
  store.want("classes", []);
  store.want("cell", [wanted(7)]);
  wire.held = null;
  release();
  await settled(store);
  assert.deepEqual(
    wire.asked.map(([kind, { truth, sources }]) => truth ?? sources[0]),
    [0, 7, 700],
    "only what was under way is finished",
  );
  store.want("cell", []); // finds nothing to do …
  store.want("mistakes", [wanted(9)]); // … and is still looking
  await settled(store);
  assert.deepEqual(wire.sources().at(-1)[0], 900);
});

test("where they do not all fit, none is fetched again and again", async () => {
  const wire = makeWire();
  const store = make(wire, new FakePictures(10));
  store.want("cell", [wanted(0)]);
  await settled(store);
  assert.equal(wire.sources().flat().length, 20);
  assert.ok(!store.busy);
});

test("a photograph that cannot be opened does not take the others with it", async () => {
  const wire = makeWire({ bad: [3] });
  const store = make(wire);
  store.want("cell", [wanted(0)]);
  await settled(store);
  assert.equal(store.picture(1, 3).failure, "one cannot be opened");
  for (let source = 0; source < 20; source += 1) if (source !== 3) assert.ok(store.picture(1, source).bitmap !== undefined, `${source}`);
});

test("a list that fails says why, and is asked again when one comes back", async () => {
  const wire = makeWire();
  const store = make(wire);
  wire.broken = "no such run";
  store.want("cell", [wanted(0)]);
  await settled(store);
  assert.equal(store.found(wanted(0)).failure, "no such run");
  assert.equal(wire.asked.length, 1);
  wire.broken = "";
  store.want("cell", []);
  store.want("cell", [wanted(0)]);
  await settled(store);
  assert.equal(store.found(wanted(0)).found.total, 20);
});

test("everyone who listens is told; nobody after the end", async () => {
  const wire = makeWire();
  const store = make(wire);
  let [told, never] = [0, 0];
  store.listen(() => (told += 1));
  store.listen(() => (never += 1))();
  store.want("cell", [wanted(0)]);
  await settled(store);
  assert.equal(told, 2);
  assert.equal(never, 0);
  store.close();
  store.want("cell", [wanted(4)]);
  await settled(store);
  assert.equal(wire.asked.length, 2);
});

test("a photograph is shown once for each answer, whatever the folds", () => {
  const one = { source: 5, name: "a.jpg", truth: 0, prediction: 1, confidence: 0.9 };
  const groups = groupedTests([
    { ...one, fold: 2 },
    { ...one, fold: 0, confidence: 0.4 },
    { ...one, fold: 1, prediction: 0 },
  ]);
  assert.deepEqual(
    groups.map(({ folds, confidence, prediction }) => [folds, confidence, prediction]),
    [
      [[2, 0], 0.9, 1],
      [[1], 0.9, 0],
    ],
  );
  assert.equal(foldWords([2, 0]), "folds 1, 3");
  assert.equal(photographWords(groups[0], ["ant", "bee"]), "ant, taken for bee with 90 % · folds 1, 3 · a.jpg");
  assert.match(photographWords({ ...groups[1], confidence: null }, ["ant", "bee"]), /^ant, as it was taken for · fold 2/);
  assert.notEqual(testsKey(wanted(0, { right: false })), testsKey(wanted(0)));
});

test("the headline: one fold has no spread, a run that goes on says how far it is", () => {
  assert.equal(accuracyWords(85.34, 0.61), "85.3 ± 0.6 %");
  const summary = {
    run: 3,
    per_fold: [0.8],
    mean: 0.8,
    std: 0,
    folds: 5,
    phase: "stopped",
    seconds: 42,
    paper: [{ words: "paper", mean: 82.9, std: null }],
  };
  assert.deepEqual(runAccuracy(summary), { mean: 80, std: null });
  assert.equal(doneWords(summary), "1 of 5 folds · stopped · 42 s");
  assert.equal(doneWords({ ...summary, per_fold: [1, 1], folds: 2, phase: "done", seconds: 0 }), "2 folds");
  const rows = scaleRows(summary, { ...summary, run: 1 });
  assert.deepEqual(
    rows.map(({ words, kind }) => [words, kind]),
    [
      ["run 3", "run"],
      ["run 1", "other"],
      ["paper", "paper"],
    ],
  );
  assert.equal(scaleRows({ ...summary, per_fold: [] }, null)[0].mean, null);
});

test("the scale holds everything, in multiples of five", () => {
  for (const values of [[84.4, 85.1], [0], [100], [99.9, 46.5], [3, 97], [50]]) {
    const [low, high] = accuracyRange(values);
    assert.ok(low <= Math.min(...values) && high >= Math.max(...values) && high - low >= 10 && low >= 0 && high <= 100, `${values}`);
    assert.ok(low % 5 === 0 && high % 5 === 0);
  }
  assert.deepEqual(accuracyRange([]), [0, 100]);
});

test("differences are signed, weight decays said once", () => {
  assert.deepEqual([2.04, -3.96, 0.01].map(pointsWords), ["+2.0", "−4.0", "±0.0"]);
  assert.equal(decayWords({ weight_decay: null, weight_decays: [0.001, 0.001, 0.01] }), "0.001, 0.01 (chosen)");
  assert.equal(decayWords({ weight_decay: 0.1, weight_decays: [] }), "0.1");
  assert.equal(decayWords({ weight_decay: null, weight_decays: [] }), "to be chosen");
});
