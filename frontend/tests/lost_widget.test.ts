import assert from "node:assert/strict";
import { test } from "node:test";
import { KernelUnavailable, RESTARTED } from "../src/kernel/errors.ts";
import type { Callbacks } from "../src/kernel/lost_widget.ts";
import { FakeModel, makeClient } from "./fake_model.ts";

const IDLE = { header: { msg_type: "status" }, content: { execution_state: "idle" } };
const BUSY = { header: { msg_type: "status" }, content: { execution_state: "busy" } };

/** A client, and the callbacks of its messages. */
function make() {
  const callbacks: Callbacks[] = [];
  const { send } = FakeModel.prototype;
  const made = makeClient();
  made.model.send = function (this: FakeModel, message, given, buffers) {
    callbacks.push(given as Callbacks);
    send.call(this, message, given, buffers);
  };
  return { ...made, report: (at: number, status: object) => callbacks.at(at)?.iopub.status(status) };
}

test("a kernel that handles a request and a ping without an answer no longer has the widget", async () => {
  const { model, client, told, report } = make();
  const request = assert.rejects(client.request("table"), (error) => error instanceof KernelUnavailable && error.message === RESTARTED);
  report(-1, BUSY);
  assert.deepEqual(model.kinds(), ["table"]);
  report(-1, IDLE);
  assert.deepEqual(model.kinds(), ["table", "ping"]);
  report(-1, IDLE);
  await request;
  assert.deepEqual(told, [["available", false]]);
  assert.equal(client.reason, RESTARTED);
  client.close();
});

test("a request that is answered late, by another thread, is waited for if the ping is answered", async () => {
  const { model, client, told, report } = make();
  const request = client.request("table");
  report(0, IDLE);
  model.emit("msg:custom", { client: client.id, ok: true }, []);
  report(1, IDLE);
  model.answer({ of: "late" }, { at: 0 });
  assert.equal((await request)?.content.of, "late");
  assert.deepEqual(told, []);
  client.close();
});

test("accepted and answered requests cause no ping, and neither do messages that are not the kernel's", async () => {
  const { model, client, report } = make();
  void client.request("work", {}, { lane: "work" });
  model.emit("msg:custom", { client: client.id, seq: 1, accepted: true }, []);
  report(-1, IDLE);
  const request = client.request("table");
  report(-1, { content: { execution_state: "idle" } }); // Colab: the message was sent
  model.answer();
  report(-1, IDLE);
  await request;
  assert.deepEqual(model.kinds(), ["work", "table"]);
  client.close();
});

test("a user action that needs no request causes a ping, unless the kernel sent a message a moment ago", (context) => {
  const { model, client, told, report } = make();
  let now = performance.now();
  context.mock.method(performance, "now", () => now);
  client.checkAlive();
  assert.deepEqual(model.kinds(), []);
  now += 10_000;
  client.checkAlive();
  client.checkAlive();
  assert.deepEqual(model.kinds(), ["ping"], "one at a time");
  model.emit("msg:custom", { client: client.id, ok: true }, []);
  report(-1, IDLE);
  assert.deepEqual(told, []);
  now += 10_000;
  client.checkAlive();
  report(-1, IDLE);
  assert.deepEqual(told, [["available", false]]);
  client.checkAlive();
  assert.deepEqual(model.kinds(), ["ping", "ping"], "a request is made instead");
  client.close();
});
