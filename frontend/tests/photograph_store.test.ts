import assert from "node:assert/strict";
import { test } from "node:test";
import { PhotographStore, type TestsRequest, testsKey } from "../src/classification/photograph_store.ts";
import type { BitmapCache } from "../src/kernel/bitmap_cache.ts";
import type { KernelClient, Message } from "../src/kernel/client.ts";
import { makeClient, settle } from "./fake_model.ts";

const ofClass = (truth: number, more: Partial<TestsRequest> = {}): TestsRequest => ({
  version: "1 5 done",
  run: 1,
  truth,
  prediction: null,
  right: null,
  limit: 24,
  ...more,
});
const [cell, classes, mistakes] = [{}, {}, {}];

/** Decoded images without a browser, of which `limit` are kept. */
class FakeCache {
  private readonly kept = new Map<string, ImageBitmap>();

  constructor(private readonly limit: number) {}

  get(key: string): ImageBitmap | undefined {
    return this.kept.get(key);
  }

  has(key: string): boolean {
    return this.kept.has(key);
  }

  async decode(key: string): Promise<void> {
    this.kept.set(key, {} as ImageBitmap);
    const oldest = this.kept.keys().next().value;
    if (this.kept.size > this.limit && oldest !== undefined) this.kept.delete(oldest);
  }

  clear(): void {
    this.kept.clear();
  }
}

/** A store whose kernel has twenty photographs of each class; sources in `bad` cannot be opened. */
function makeStore({ bad = [] as number[], limit = 1000 } = {}) {
  const { model, client } = makeClient();
  const store = new PhotographStore(
    client as Pick<KernelClient, "requestList" | "available">,
    1,
    new FakeCache(limit) as unknown as BitmapCache,
  );
  const kernel = { error: "", answered: 0 };
  const reply = ({ kind, truth, limit: most, sources }: Message): Message => {
    if (kernel.error) return { ok: false, error: kernel.error };
    if (kind === "photographs") {
      const all = Array.from({ length: 20 }, (_, at) => ({ source: 100 * Number(truth ?? 0) + at }));
      return { photographs: all.slice(0, Number(most)), total: 20 };
    }
    const asked = sources as number[];
    if (asked.some((source) => bad.includes(source))) return { ok: false, error: "one cannot be opened" };
    return { images: asked.map(() => ({ mime: "image/jpeg" })) };
  };
  const answer = async () => {
    const message = model.sent[kernel.answered];
    assert.ok(message);
    model.answer(reply(message), { at: kernel.answered });
    kernel.answered += 1;
    await settle();
  };
  /** Answer until nothing more is sent. */
  const finish = async () => {
    for (let turn = 0; turn < 100 && kernel.answered < model.sent.length; turn += 1) await answer();
    assert.equal(kernel.answered, model.sent.length);
  };
  const sources = () => model.sent.filter(({ kind }) => kind === "thumbnails").map(({ sources }) => sources as number[]);
  return { model, store, kernel, answer, finish, sources };
}

test("lists first, then thumbnails in batches of at most 24; one request at a time", async () => {
  const { model, store, finish, answer, sources } = makeStore();
  store.setVisible(classes, [ofClass(0), ofClass(1)]);
  assert.equal(model.sent.length, 1);
  await answer();
  assert.equal(model.sent.length, 2);
  await finish();
  assert.deepEqual(model.kinds(), ["photographs", "photographs", "thumbnails", "thumbnails"]);
  assert.deepEqual(
    sources().map((one) => one.length),
    [24, 16],
  );
  assert.equal(model.sent[2]?.size, 96);
  assert.ok(store.thumbnail(1, 105).value);
});

test("loaded photographs are not requested again by other panes", async () => {
  const { model, store, finish } = makeStore();
  store.setVisible(cell, [ofClass(0)]);
  await finish();
  const before = model.sent.length;
  store.setVisible(cell, []);
  store.setVisible(mistakes, [ofClass(0)]);
  await finish();
  assert.equal(model.sent.length, before);
  store.setVisible(mistakes, [ofClass(0, { limit: 12 })]);
  await finish();
  assert.deepEqual(model.kinds().slice(before), ["photographs"], "its photographs are there");
  store.setVisible(mistakes, [ofClass(0, { version: "1 5 done again" })]);
  await finish();
  assert.equal(model.kinds().at(-1), "photographs", "a run that went on is requested again");
});

test("the pane that changed last has priority, and photographs that no pane shows are not requested", async () => {
  const { model, store, answer, finish, sources } = makeStore();
  store.setVisible(classes, [ofClass(0), ofClass(1), ofClass(2)]);
  store.setVisible(classes, []);
  store.setVisible(cell, [ofClass(7)]);
  await answer();
  await finish();
  assert.deepEqual(
    model.sent.map(({ truth, sources }) => truth ?? (sources as number[])[0]),
    [0, 7, 700],
    "only what was in flight is finished",
  );
  store.setVisible(cell, []);
  store.setVisible(mistakes, [ofClass(9)]);
  await finish();
  assert.equal(sources().at(-1)?.[0], 900);
});

test("photographs are not fetched repeatedly if the cache is too small", async () => {
  const { store, finish, sources } = makeStore({ limit: 10 });
  store.setVisible(cell, [ofClass(0)]);
  await finish();
  assert.equal(sources().flat().length, 20);
});

test("errors of one photograph do not affect the others", async () => {
  const { store, finish } = makeStore({ bad: [3] });
  store.setVisible(cell, [ofClass(0)]);
  await finish();
  assert.equal(store.thumbnail(1, 3).error, "one cannot be opened");
  for (let source = 0; source < 20; source += 1) if (source !== 3) assert.ok(store.thumbnail(1, source).value, `${source}`);
});

test("errors of a list are shown, and it is requested again when its pane is opened", async () => {
  const { model, store, kernel, finish } = makeStore();
  kernel.error = "no such run";
  store.setVisible(cell, [ofClass(0)]);
  await finish();
  assert.equal(store.list(ofClass(0)).error, "no such run");
  assert.equal(model.sent.length, 1);
  kernel.error = "";
  store.setVisible(cell, []);
  store.setVisible(cell, [ofClass(0)]);
  await finish();
  assert.equal(store.list(ofClass(0)).value?.total, 20);
});

test("listeners are called until they unsubscribe", async () => {
  const { store, finish } = makeStore();
  let [told, ended] = [0, 0];
  store.listen(() => {
    told += 1;
  });
  store.listen(() => {
    ended += 1;
  })();
  store.setVisible(cell, [ofClass(0)]);
  await finish();
  assert.equal(told, 2);
  assert.equal(ended, 0);
  store.close();
});

test("requests for other tests have other keys", () => {
  assert.notEqual(testsKey(ofClass(0, { right: false })), testsKey(ofClass(0)));
});
