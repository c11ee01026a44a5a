import assert from "node:assert/strict";
import { test } from "node:test";
import { KernelClient } from "../src/kernel/client.ts";
import { FakeModel, settle } from "./fake_model.ts";

/** Requests for positions of a dragged patch, with a fake clock. */
function makeDrag(context: { mock: { method: (object: object, name: "now", replacement: () => number) => unknown } }) {
  const order: string[] = [];
  let now = 0;
  context.mock.method(performance, "now", () => now);
  const model = new FakeModel();
  const client = new KernelClient(model.asModel);
  const owner = {};
  const send = model.send.bind(model);
  model.send = (message, callbacks, buffers) => {
    order.push(`send ${message.at} at ${now}`);
    send(message, callbacks, buffers);
  };
  const request = async (time: number, at: number) => {
    now = time;
    void client
      .request("patch", { at }, { owner, steady: true })
      .then((reply) => reply && order.push(`draw ${reply.content.at} at ${now}`));
    await settle();
  };
  const answer = async (time: number) => {
    now = time;
    model.answer({ at: model.sent.at(-1)?.at });
    await settle();
  };
  return { order, client, owner, request, answer };
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test("the next request is sent before the reply to the last one is drawn", async (context) => {
  const { order, client, request, answer } = makeDrag(context);
  for (const [time, at] of [
    [0, 1],
    [500, 2],
    [1000, 3],
  ] as const)
    await request(time, at);
  await answer(1400);
  await answer(1800);
  assert.deepEqual(order, ["send 1 at 0", "send 3 at 1400", "draw 1 at 1400", "draw 3 at 1800"]);
  client.close();
});

test("requests in flight are not repeated, and outdated pending requests are discarded", async (context) => {
  const { order, client, request, answer } = makeDrag(context);
  for (const [time, at] of [
    [0, 1],
    [100, 1],
    [200, 2],
    [300, 1],
  ] as const)
    await request(time, at);
  await answer(400);
  assert.deepEqual(
    order.filter((line) => line.startsWith("send")),
    ["send 1 at 0"],
    "back at 1 before 2 was sent: nothing is left to ask",
  );
  await request(500, 1);
  assert.equal(order.at(-1), "send 1 at 500", "it was answered: a new request may have another reply");
  client.close();
});

test("the pending request is delayed if a newer one is expected soon", async (context) => {
  const { order, client, request, answer } = makeDrag(context);
  for (const at of [1, 2, 3]) await request(16 * at, at);
  await answer(60); // 3 is 12 ms old, 4 is due in 4
  assert.deepEqual(order.splice(0), ["send 1 at 16", "draw 1 at 60"]);
  await request(64, 4);
  await request(80, 5);
  await answer(84); // 5 is 4 ms old, 6 is due in 12
  assert.deepEqual(order, ["send 4 at 64", "send 5 at 84", "draw 4 at 84"]);
  client.close();
});

test("the pending request is sent if no newer one arrives", async (context) => {
  const { order, client, request, answer } = makeDrag(context);
  for (const at of [1, 2, 3]) await request(16 * at, at);
  await answer(60);
  context.mock.method(performance, "now", () => 70);
  await wait(30);
  assert.deepEqual(order, ["send 1 at 16", "draw 1 at 60", "send 3 at 60"]);
  client.close();
});

test("irregular requests are not waited for", async (context) => {
  const { order, client, request, answer } = makeDrag(context);
  await request(500, 4);
  await request(900, 5);
  await answer(1000);
  await request(1100, 6);
  await request(1300, 7);
  await answer(1450); // 7 is 150 ms old, and would be due in 50 if requests were regular
  assert.deepEqual(
    order.filter((line) => line.startsWith("send")),
    ["send 4 at 500", "send 5 at 1000", "send 7 at 1450"],
  );
  client.close();
});

test("the last position can be requested again during the delay", async (context) => {
  const { order, client, request, answer } = makeDrag(context);
  for (const at of [1, 2, 3]) await request(16 * at, at);
  await answer(60);
  await request(62, 1); // back at the former position
  assert.deepEqual(order, ["send 1 at 16", "draw 1 at 60", "send 1 at 62"]);
  client.close();
});

test("a request that is cancelled during the delay is not sent", async (context) => {
  const { order, client, owner, request, answer } = makeDrag(context);
  for (const at of [1, 2, 3]) await request(16 * at, at);
  await answer(60);
  client.cancel("patch", owner);
  await wait(30);
  await request(100, 4);
  assert.deepEqual(order, ["send 1 at 16", "draw 1 at 60", "send 4 at 100"]);
  client.close();
});
