import assert from "node:assert/strict";
import { test } from "node:test";

import { TransferWire } from "../src/transfer/wire.ts";
import { stageWords, stageShare } from "../src/transfer/run_progress.ts";
import { enoughImages } from "../src/transfer/data_fields.ts";
import { settingsOf } from "../src/transfer/setup.ts";
import { megabytes, uploadFile } from "../src/kernel/upload.ts";

/** A wire and what the kernel got of it. */
function makeWire() {
  const kernel = { sent: [], events: [], silences: [], listeners: [] };
  const model = {
    send: (message, _callbacks, buffers) => kernel.sent.push({ ...message, buffers }),
    on: (_name, listener) => kernel.listeners.push(listener),
    off: (_name, listener) => kernel.listeners.splice(kernel.listeners.indexOf(listener), 1),
  };
  const wire = new TransferWire(model, {
    event: (message) => kernel.events.push(message.event),
    silence: (silent) => kernel.silences.push(silent),
    slow: () => {},
  });
  kernel.answer = (content, buffers = [], at = -1) => {
    const { seq, view } = kernel.sent.at(at);
    for (const listener of [...kernel.listeners]) listener({ seq, view, ok: true, ...content }, buffers);
  };
  return { wire, kernel };
}

test("an answer brings its content and buffers, a refusal its words", async () => {
  const { wire, kernel } = makeWire();
  const asked = wire.ask("run", { run: 3 });
  assert.equal(kernel.sent[0].run, 3);
  kernel.answer({ summary: "good" }, ["bytes"]);
  assert.deepEqual((await asked).content.summary, "good");
  const refused = wire.ask("use", { run: 9 });
  kernel.answer({ ok: false, error: "There is no run 9" });
  await assert.rejects(refused, /There is no run 9/);
  wire.close();
  assert.equal(kernel.listeners.length, 0);
});

test("one request flies; of those with one key the newest counts, other keys of a kind wait their turn", async () => {
  const { wire, kernel } = makeWire();
  const first = wire.ask("thumbnails", { sources: [1] });
  const overtaken = wire.ask("thumbnails", { sources: [2] });
  const other = wire.ask("thumbnails", { sources: [3] }, { key: "strip" });
  const newest = wire.ask("thumbnails", { sources: [4] });
  assert.equal(kernel.sent.length, 1);
  assert.equal(await first, null);
  assert.equal(await overtaken, null);
  kernel.answer({ of: 1 });
  assert.deepEqual(
    kernel.sent.map(({ sources }) => sources[0]),
    [1, 3],
  );
  kernel.answer({ of: 3 });
  kernel.answer({ of: 4 });
  assert.equal((await other).content.of, 3);
  assert.equal((await newest).content.of, 4);
  wire.close();
});

test("what was asked before a silence is refused in words, and the next one is sent", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { wire, kernel } = makeWire();
  const flying = wire.ask("status");
  const waiting = wire.ask("data", {});
  const told = [assert.rejects(flying, /does not answer/), assert.rejects(waiting, /does not answer/)];
  for (let time = 0; time < 3; time += 1) context.mock.timers.tick(15000);
  await Promise.all(told);
  assert.deepEqual(kernel.silences, [true]);
  const next = wire.ask("status");
  kernel.answer({ status: "well" });
  assert.equal((await next).content.status, "well");
  assert.deepEqual(kernel.silences, [true, false]);
  wire.close();
});

test("starting is never sent twice: it would start twice", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { wire, kernel } = makeWire();
  wire.ask("start", {}).catch(() => {});
  context.mock.timers.tick(170000);
  assert.equal(kernel.sent.length, 1);
  wire.close();
});

test("a view that is gone leaves nobody waiting", async () => {
  const { wire } = makeWire();
  const asked = [wire.ask("status"), wire.ask("data")];
  wire.close();
  assert.deepEqual(await Promise.all(asked), [null, null]);
});

test("an upload goes on where the kernel says that it is", async () => {
  const calls = [];
  const answers = { begin: { upload: "u" }, finish: { data: "/kept" } };
  let have = 0;
  const wire = {
    ask: async (_kind, { step, offset }, { buffers = [] } = {}) => {
      calls.push([step, offset ?? null]);
      if (step === "chunk") have = offset + buffers[0].byteLength;
      return { content: answers[step] ?? { have } };
    },
  };
  const file = Object.assign(new Blob([new Uint8Array(5 * 2 ** 20)]), { name: "a.zip" });
  const seen = [];
  const { data } = await uploadFile(wire, file, { progress: (bytes) => seen.push(bytes), signal: new AbortController().signal });
  assert.equal(data, "/kept");
  assert.deepEqual(calls, [
    ["begin", null],
    ["chunk", 0],
    ["chunk", 2 ** 21],
    ["chunk", 2 ** 22],
    ["finish", null],
  ]);
  assert.equal(seen.at(-1), file.size);
  assert.equal(megabytes(5_240_000), "5.2 MB");
  assert.equal(megabytes(24_000_000), "24 MB");
});

test("where a run is, in words", () => {
  const run = { per_fold: [], folds: 5, seconds: 12, progress: null };
  const progress = { done: 30, total: 120, rate: 15, message: "" };
  assert.match(stageWords({ ...run, phase: "waiting" }), /^Waits/);
  assert.equal(stageWords({ ...run, phase: "features", progress }), "30 of 120 photographs · 15.0 images/s · 6 s left");
  assert.equal(stageWords({ ...run, phase: "training", per_fold: [0.8] }), "Fold 2 of 5");
  assert.equal(
    stageWords({ ...run, phase: "curve", progress: { ...progress, message: "15 a class" } }),
    "30 of 120 trainings · 15 a class",
  );
  assert.equal(stageWords({ ...run, phase: "stopped" }), "Stopped; no fold was done, the features are kept.");
  assert.equal(stageWords({ ...run, phase: "failed", per_fold: [0.8, 0.9] }), "Failed; 2 of 5 folds are kept.");
  assert.equal(stageWords({ ...run, phase: "done", per_fold: [1, 1, 1, 1, 1] }), "Done in 12 s.");
  assert.equal(stageShare({ ...run, phase: "training", per_fold: [0.8] }), 0.2);
  assert.equal(stageShare({ ...run, phase: "waiting" }), null);
});

test("fewer images are offered where the data has fewer", () => {
  assert.equal(enoughImages({ problem: "too few", most: 39 }, 60), 30);
  assert.equal(enoughImages({ problem: "too few", most: 7 }, 30), 5);
  assert.equal(enoughImages({ problem: "no class", most: 0 }, 30), null);
  assert.equal(enoughImages({ problem: "something else", most: 39 }, 30), null);
  assert.equal(enoughImages({ problem: null, most: 39 }, 60), null);
  assert.equal(enoughImages(null, 30), null);
});

test("settings are the state's, without what is merely shown", () => {
  assert.deepEqual(Object.keys(settingsOf({ data: "a", show: "classes", folds: 3 })).length, 9);
  assert.equal("show" in settingsOf({ show: "classes" }), false);
});
