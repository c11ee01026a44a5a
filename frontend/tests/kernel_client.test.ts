import assert from "node:assert/strict";
import { test } from "node:test";
import { KernelError, KernelUnavailable } from "../src/kernel/errors.ts";
import { makeClient, settle } from "./fake_model.ts";

test("a reply has content and buffers, an error its message", async () => {
  const { model, client } = makeClient();
  const request = client.request("run", { run: 3 }, { buffers: [new ArrayBuffer(2)] });
  assert.deepEqual({ ...model.sent[0] }, { seq: 1, client: client.id, kind: "run", run: 3 });
  assert.equal(model.buffers[0]?.[0]?.byteLength, 2);
  const buffers = [new DataView(new ArrayBuffer(4))];
  model.answer({ summary: "good" }, { buffers });
  const reply = await request;
  assert.equal(reply?.content.summary, "good");
  assert.equal(reply?.buffers, buffers);
  const rejected = client.request("use_head", { run: 9 });
  model.answer({ ok: false, error: "There is no run 9", refused: true });
  await assert.rejects(rejected, (error) => error instanceof KernelError && error.ruleRejected && error.message === "There is no run 9");
  client.close();
  assert.equal(model.listening, 0);
});

test("latest: a newer request supersedes one of the same owner and key that waits, whose promise resolves to null", async () => {
  const { model, client } = makeClient();
  const [one, other] = [{}, {}];
  const first = client.request("unit", { unit: 1 }, { owner: one });
  const superseded = client.request("unit", { unit: 2 }, { owner: one });
  const others = client.request("unit", { unit: 3 }, { owner: other });
  const keyed = client.request("unit", { unit: 4 }, { owner: one, key: "pinned" });
  const newest = client.request("unit", { unit: 5 }, { owner: one });
  assert.equal(await superseded, null);
  for (const _ of [1, 2, 3, 4]) model.answer({ of: model.sent.at(-1)?.unit });
  assert.deepEqual(
    model.sent.map(({ unit }) => unit),
    [1, 3, 4, 5],
  );
  const replies = await Promise.all([first, others, keyed, newest]);
  assert.deepEqual(
    replies.map((reply) => reply?.content.of),
    [1, 3, 4, 5],
  );
  client.close();
});

test("latest: the reply in flight answers a newer request for the same, unless that must be fresh", async () => {
  const { model, client } = makeClient();
  const replies = Promise.all([client.request("table", { layer: "a" }), client.request("table", { layer: "a" })]);
  const fresh = client.request("table", { layer: "a" }, { fresh: true });
  model.answer({ of: 1 });
  assert.deepEqual(
    (await replies).map((reply) => reply?.content.of),
    [1, 1],
  );
  assert.equal(model.sent.length, 2);
  model.answer({ of: 2 });
  assert.equal((await fresh)?.content.of, 2);
  client.close();
});

test("queue: all requests are sent in order", async () => {
  const { model, client } = makeClient();
  const requests = [1, 2, 2].map((step) => client.request("upload", { step }, { policy: "queue" }));
  for (const _ of requests) model.answer();
  await Promise.all(requests);
  assert.deepEqual(
    model.sent.map(({ step }) => step),
    [1, 2, 2],
  );
  client.close();
});

test("once: a request is not repeated, and has a longer time-out", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { model, client, told } = makeClient();
  const request = client.request("start", {}, { policy: "once" });
  for (let at = 0; at < 11; at += 1) context.mock.timers.tick(15_000);
  assert.equal(model.sent.length, 1);
  assert.deepEqual(told[0], ["slow", true]);
  model.answer({ run: 1 });
  assert.equal((await request)?.content.run, 1);
  client.close();
});

test("lists: a new list discards the pending requests of the former list, but not those of another owner", () => {
  const { model, client } = makeClient();
  const [one, other] = [{}, {}];
  const received: unknown[] = [];
  const tile = (unit: number) => ({
    kind: "mosaics",
    fields: { unit },
    receive: () => received.push(unit),
    fail: () => assert.fail(),
    beforeSend: () => true,
  });
  client.requestList("tiles", [tile(1), tile(2)], { owner: one });
  client.requestList("tiles", [tile(8)], { owner: other });
  client.requestList("tiles", [tile(3)], { owner: one });
  for (const _ of [1, 2, 3]) model.answer();
  assert.deepEqual(received, [1, 8, 3]);
  client.release(one);
  client.close();
});

test("closing an owner discards its pending requests, and requests in flight are still shared", async () => {
  const { model, client } = makeClient();
  const [gone, stays] = [{}, {}];
  const flying = client.request("unit", { unit: 1 }, { owner: gone });
  const waiting = client.request("source", {}, { owner: gone });
  const other = client.request("source", {}, { owner: stays });
  client.release(gone);
  assert.equal(await waiting, null);
  model.answer({ of: "unit" });
  model.answer({ of: "source" });
  assert.equal((await flying)?.content.of, "unit");
  assert.equal((await other)?.content.of, "source");
  client.cancel("source", stays);
  client.close();
});

test("replies to another client are ignored, events are not", async () => {
  const { model, client, told } = makeClient();
  const request = client.request("status");
  model.emit("msg:custom", { seq: 1, client: "another page", ok: true, of: "theirs" }, []);
  model.emit("msg:custom", { event: "changed" }, []);
  model.answer({ of: "ours" });
  assert.equal((await request)?.content.of, "ours");
  assert.deepEqual(told, [["event", "changed"]]);
  client.close();
});

test("a kernel restart is detected immediately", async () => {
  const { model, client, told } = makeClient();
  const requests = [client.request("status"), client.request("data"), client.request("file", {}, { lane: "work" })];
  const rejected = requests.map((request) => assert.rejects(request, KernelUnavailable));
  model.emit("comm_live_update");
  await Promise.all(rejected);
  assert.deepEqual(told, [["available", false]]);
  assert.equal(client.available, false);
  const next = client.request("status");
  model.answer({ status: "well" });
  assert.equal((await next)?.content.status, "well");
  assert.deepEqual(told.at(-1), ["available", true]);
  client.close();
});

test("errors of a lost connection are replaced by our message", async () => {
  const { model, client } = makeClient();
  model.broken = true;
  await assert.rejects(client.request("status"), { message: "The kernel does not respond. Run the notebook's cells again." });
  client.close();
});

test("closing a client settles all promises", async () => {
  const { client } = makeClient();
  const requests = [client.request("status"), client.request("data")];
  client.close();
  assert.deepEqual(await Promise.all(requests), [null, null]);
  await settle();
});
