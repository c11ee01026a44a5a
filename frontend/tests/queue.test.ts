import assert from "node:assert/strict";
import { test } from "node:test";
import { KernelUnavailable } from "../src/kernel/errors.ts";
import { type Message, type QueuedRequest, type Reply, RequestQueue } from "../src/kernel/queue.ts";
import { settle } from "./fake_model.ts";

const TIMEOUT = 100;
const ATTEMPTS = 3;

function make() {
  const sent: Message[] = [];
  const told: [string, boolean][] = [];
  const log: [string, unknown][] = [];
  const connection = { broken: false };
  const send = (message: Message) => {
    if (connection.broken) throw new Error("Cannot send");
    sent.push(message);
  };
  const available = (value: boolean) => told.push(["available", value]);
  const slow = (value: boolean) => told.push(["slow", value]);
  const queue = new RequestQueue(send, { available, slow }, () => 0);
  const request = (name: string, more: Partial<QueuedRequest> = {}): QueuedRequest => ({
    message: { kind: name },
    buffers: [],
    lane: "urgent",
    priority: 0,
    key: name,
    content: "",
    timeout: TIMEOUT,
    attempts: ATTEMPTS,
    resend: true,
    pacer: null,
    receive: null,
    beforeSend: () => true,
    resolve: (reply: Reply | null) => log.push([name, reply?.content.value ?? null]),
    reject: (error: Error) => log.push([name, error.message]),
    ...more,
  });
  const background = (name: string, more: Partial<QueuedRequest> = {}) =>
    request(name, { lane: "background", key: "list", content: name, ...more });
  const answer = (value: unknown, seq = sent.at(-1)?.seq) => queue.receive({ seq, ok: true, value }, []);
  const kinds = () => sent.map(({ kind }) => kind);
  return { queue, sent, told, log, connection, request, background, answer, kinds };
}

test("one request is in flight, the others wait", () => {
  const { queue, log, request, answer, kinds } = make();
  for (const name of ["a", "b", "c"]) queue.add(request(name));
  assert.deepEqual(kinds(), ["a"]);
  assert.equal(queue.pending, 3);
  for (const value of [1, 2, 3]) answer(value);
  assert.deepEqual(kinds(), ["a", "b", "c"]);
  assert.deepEqual(log, [
    ["a", 1],
    ["b", 2],
    ["c", 3],
  ]);
  assert.equal(queue.pending, 0);
  queue.close();
});

test("requests are sent by priority, then by age", () => {
  const { queue, request, answer, kinds } = make();
  queue.add(request("first"));
  for (const [name, priority] of Object.entries({ five: 5, three: 3, alsoFive: 5, one: 1 })) queue.add(request(name, { priority }));
  for (let at = 0; at < 5; at += 1) answer(at);
  assert.deepEqual(kinds(), ["first", "one", "three", "five", "alsoFive"]);
  queue.close();
});

test("urgent requests do not wait for background requests, which wait for them", () => {
  const { queue, sent, log, request, background, answer, kinds } = make();
  queue.replace("list", [background("tile1"), background("tile2")]);
  queue.add(request("mosaics"));
  assert.deepEqual(
    sent.map(({ kind, background: marked }) => [kind, marked]),
    [
      ["tile1", true],
      ["mosaics", undefined],
    ],
  );
  answer("first", 1);
  assert.equal(sent.length, 2, "the next tile waits for the urgent request");
  answer("second", 2);
  assert.deepEqual(kinds(), ["tile1", "mosaics", "tile2"]);
  answer("third", 3);
  assert.deepEqual(log, [
    ["tile1", "first"],
    ["mosaics", "second"],
    ["tile2", "third"],
  ]);
  queue.close();
});

test("a newer request supersedes a pending one with the same key", () => {
  const { queue, log, request, answer, kinds } = make();
  queue.add(request("other"));
  for (const unit of [1, 2, 3]) queue.add(request(`unit${unit}`, { key: "unit" }));
  assert.deepEqual(log, [
    ["unit1", null],
    ["unit2", null],
  ]);
  answer(1);
  answer(2);
  assert.deepEqual(kinds(), ["other", "unit3"]);
  assert.equal(queue.pending, 0);
  queue.close();
});

test("requests without a key are not superseded", () => {
  const { queue, request, answer, kinds } = make();
  for (const name of ["a", "b", "c"]) queue.add(request(name, { key: null }));
  for (const value of [1, 2, 3]) answer(value);
  assert.deepEqual(kinds(), ["a", "b", "c"]);
  queue.close();
});

test("a request that is in flight is not sent twice, and its reply counts although a new list leaves it out", () => {
  const { queue, log, background, answer, kinds } = make();
  queue.replace("list", [background("a")]);
  queue.replace("list", [background("a"), background("b")]);
  answer(1);
  assert.deepEqual(kinds(), ["a", "b"]);
  queue.replace("list", []);
  answer(2);
  assert.deepEqual(kinds(), ["a", "b"]);
  assert.deepEqual(log, [
    ["a", 1],
    ["a", 1],
    ["b", 2],
  ]);
  queue.close();
});

test("the reply of a request in flight answers no later one after the kernel's state changed", () => {
  const { queue, request, answer, kinds } = make();
  queue.add(request("hello"));
  queue.invalidateInFlight();
  queue.add(request("hello"));
  answer("old");
  assert.deepEqual(kinds(), ["hello", "hello"]);
  queue.close();
});

test("replies to requests that are not in flight are dropped", () => {
  const { queue, log, request, answer } = make();
  queue.add(request("a"));
  answer("wrong", 99);
  answer("right", 1);
  answer("again", 1);
  assert.deepEqual(log, [["a", "right"]]);
  queue.close();
});

test("an error rejects the promise, and the next request is sent", () => {
  const { queue, log, request, kinds } = make();
  queue.add(request("a"));
  queue.add(request("b"));
  queue.receive({ seq: 1, ok: false, error: "no such unit" }, []);
  assert.deepEqual(log, [["a", "no such unit"]]);
  assert.deepEqual(kinds(), ["a", "b"]);
  queue.close();
});

test("a request is sent again when its reply is overdue, and any of its replies counts", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { queue, sent, told, log, request, answer } = make();
  queue.add(request("a"));
  context.mock.timers.tick(TIMEOUT - 1);
  assert.equal(sent.length, 1);
  context.mock.timers.tick(1);
  assert.deepEqual(
    sent.map(({ kind, seq }) => [kind, seq]),
    [
      ["a", 1],
      ["a", 2],
    ],
  );
  answer("the first one's", 1);
  answer("the second one's", 2);
  assert.deepEqual(log, [["a", "the first one's"]]);
  assert.deepEqual(told, [
    ["slow", true],
    ["slow", false],
  ]);
  queue.close();
});

test("a request that must not be sent twice waits for as many time-outs", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { queue, sent, told, log, request } = make();
  queue.add(request("start", { resend: false }));
  for (let at = 1; at < ATTEMPTS; at += 1) context.mock.timers.tick(TIMEOUT);
  context.mock.timers.tick(TIMEOUT - 1);
  assert.equal(sent.length, 1);
  assert.deepEqual(log, []);
  assert.deepEqual(told.at(0), ["slow", true]);
  context.mock.timers.tick(1);
  assert.equal(sent.length, 1);
  assert.deepEqual(log, [["start", new KernelUnavailable().message]]);
  queue.close();
});

test("if the kernel does not answer, pending requests are rejected until it sends a message", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { queue, sent, told, log, request, answer, kinds } = make();
  queue.add(request("a"));
  queue.add(request("b"));
  for (let at = 0; at < ATTEMPTS; at += 1) context.mock.timers.tick(TIMEOUT);
  const words = new KernelUnavailable().message;
  assert.deepEqual(log, [
    ["b", words],
    ["a", words],
  ]);
  assert.deepEqual(told.at(-1), ["available", false]);
  assert.equal(queue.pending, 0);
  context.mock.timers.tick(10 * TIMEOUT);
  assert.equal(sent.length, ATTEMPTS, "nothing is sent by itself");
  queue.add(request("c"));
  assert.equal(kinds().at(-1), "c");
  answer("back");
  assert.deepEqual(told.at(-1), ["available", true]);
  assert.deepEqual(log.at(-1), ["c", "back"]);
  queue.close();
});

test("a lost connection rejects requests immediately, with our message", () => {
  const { queue, told, log, connection, request } = make();
  connection.broken = true;
  queue.add(request("a"));
  assert.deepEqual(log, [["a", new KernelUnavailable().message]]);
  assert.deepEqual(told, [["available", false]]);
  connection.broken = false;
  queue.add(request("b"));
  assert.equal(queue.pending, 1);
  queue.close();
});

test("long requests do not block others; one per key is in flight", () => {
  const { queue, request, answer, kinds, log } = make();
  queue.add(request("a"));
  for (const name of ["figure", "folders"]) queue.add(request(name, { lane: "work", key: name }));
  for (const at of [1, 2]) queue.add(request("folders", { lane: "work", content: String(at) }));
  assert.deepEqual(kinds(), ["a", "figure", "folders"]);
  assert.deepEqual(log, [["folders", null]], "the newest of those that wait counts");
  answer("done", 1);
  queue.add(request("b"));
  answer("listed", 3);
  assert.deepEqual(kinds(), ["a", "figure", "folders", "b", "folders"]);
  queue.close();
});

test("accepted long requests have no time-out and do not block their lane", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { queue, log, request, answer, kinds } = make();
  queue.add(request("start"));
  queue.add(request("status"));
  queue.receive({ seq: 1, accepted: true }, []);
  assert.deepEqual(kinds(), ["start", "status"]);
  answer("fine", 2);
  context.mock.timers.tick(100 * TIMEOUT);
  assert.equal(queue.available, true);
  answer("started", 1);
  assert.deepEqual(log, [
    ["status", "fine"],
    ["start", "started"],
  ]);
  queue.close();
});

test("a kernel with an accepted long request is available for others", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const { queue, sent, log, request, answer } = make();
  queue.add(request("figure", { lane: "work", attempts: 100, resend: false }));
  queue.add(request("status"));
  for (let at = 0; at < 10; at += 1) context.mock.timers.tick(TIMEOUT);
  assert.equal(sent.length, 2, "nor is anything sent twice");
  answer("drawn", 1);
  answer("fine", 2);
  assert.deepEqual(log, [
    ["figure", "drawn"],
    ["status", "fine"],
  ]);
  queue.close();
});

test("the next request waits until the reply is drawn", async () => {
  const { queue, log, request, answer, kinds } = make();
  let drawn = () => {};
  const drawing = new Promise<void>((resolve) => {
    drawn = resolve;
  });
  queue.add(request("mosaics", { receive: () => drawing }));
  queue.add(request("unit"));
  answer("first", 1);
  answer("again", 1);
  assert.deepEqual(kinds(), ["mosaics"]);
  drawn();
  await settle();
  assert.deepEqual(kinds(), ["mosaics", "unit"]);
  assert.deepEqual(log, [["mosaics", "first"]]);
  queue.close();
});

test("a request that is no longer needed is not sent", () => {
  const { queue, log, request, answer, kinds } = make();
  let needed = true;
  queue.add(request("a"));
  queue.add(request("b", { beforeSend: () => needed }));
  queue.add(request("c"));
  needed = false;
  answer(1);
  assert.deepEqual(kinds(), ["a", "c"]);
  assert.deepEqual(log.at(-1), ["b", null]);
  queue.close();
});

test("a closed queue rejects requests and sends none", () => {
  const { queue, sent, log, request, answer } = make();
  queue.add(request("a"));
  queue.add(request("b"));
  queue.close();
  answer("late");
  assert.equal(sent.length, 1);
  assert.deepEqual(log, [
    ["b", null],
    ["a", null],
  ]);
});
