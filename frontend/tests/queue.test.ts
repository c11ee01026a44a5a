import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { ATTEMPTS, RequestQueue, SILENCE, TIMEOUT } from "../src/kernel/queue.ts";

function make(options = {}) {
  const sent = [];
  const told = [];
  const queue = new RequestQueue({ send: (message) => sent.push(message), onSilence: (silent) => told.push(silent), ...options });
  const log = [];
  const ask = (name, more = {}) => ({
    key: name,
    message: { kind: name },
    done: (answer) => log.push([name, answer.value]),
    failed: (words) => log.push([name, words]),
    ...more,
  });
  const answer = (value, seq = sent.at(-1).seq) => queue.receive({ seq, ok: true, value }, []);
  return { queue, sent, told, log, ask, answer };
}

test("one request is in flight, the rest waits", () => {
  const { queue, sent, log, ask, answer } = make();
  queue.want("tiles", [ask("a"), ask("b"), ask("c")]);
  assert.deepEqual(
    sent.map((message) => message.kind),
    ["a"],
  );
  assert.equal(queue.pending, 3);
  answer(1);
  answer(2);
  answer(3);
  assert.deepEqual(
    sent.map((message) => message.kind),
    ["a", "b", "c"],
  );
  assert.deepEqual(log, [
    ["a", 1],
    ["b", 2],
    ["c", 3],
  ]);
  assert.equal(queue.pending, 0);
  queue.close();
});

test("detail goes before source before tiles", () => {
  const { queue, sent, ask, answer } = make();
  queue.want("unit", [ask("unit")]);
  queue.want("tiles", [ask("tile1"), ask("tile2")]);
  queue.want("source", [ask("source")]);
  queue.want("nine", [ask("nine")]);
  for (let at = 0; at < 5; at += 1) answer();
  assert.deepEqual(
    sent.map((message) => message.kind),
    ["unit", "nine", "source", "tile1", "tile2"],
  );
  queue.close();
});

test("what is urgent does not wait for a tile, and no tile is sent before it is answered", () => {
  const { queue, sent, log, ask, answer } = make();
  queue.want("tiles", [ask("tile1"), ask("tile2")]);
  queue.want("nine", [ask("nine")]);
  assert.deepEqual(
    sent.map(({ kind, later }) => [kind, later]),
    [
      ["tile1", true],
      ["nine", undefined],
    ],
  );
  answer("first", 1); // the tile is there
  assert.equal(sent.length, 2, "the next tile waits for the nine");
  answer("second", 2);
  assert.deepEqual(
    sent.map((message) => message.kind),
    ["tile1", "nine", "tile2"],
  );
  answer("third", 3);
  assert.deepEqual(log, [
    ["tile1", "first"],
    ["nine", "second"],
    ["tile2", "third"],
  ]);
  queue.close();
});

test("the newest wish replaces what waited in its lane", () => {
  const { queue, sent, ask, answer } = make();
  queue.want("unit", [ask("unit")]);
  for (const unit of [1, 2, 3]) queue.want("nine", [ask(`nine${unit}`)]);
  answer();
  answer();
  assert.deepEqual(
    sent.map((message) => message.kind),
    ["unit", "nine3"],
  );
  assert.equal(queue.pending, 0);
  queue.close();
});

test("what flies is not sent twice, and its answer still counts when nobody waits for it", () => {
  const { queue, sent, log, ask, answer } = make();
  queue.want("tiles", [ask("a")]);
  queue.want("tiles", [ask("a"), ask("b")]);
  assert.equal(queue.pending, 2);
  answer(1);
  assert.deepEqual(
    sent.map((message) => message.kind),
    ["a", "b"],
  );
  queue.want("tiles", []);
  answer("late but good");
  assert.equal(sent.length, 2);
  assert.deepEqual(log, [
    ["a", 1],
    ["b", "late but good"],
  ]);
  queue.close();
});

test("stale and second answers are dropped", () => {
  const { queue, log, ask, answer } = make();
  queue.want("nine", [ask("a")]);
  assert.equal(answer("wrong", 99), false);
  assert.equal(answer("right", 1), true);
  assert.equal(answer("again", 1), false);
  assert.deepEqual(log, [["a", "right"]]);
  queue.close();
});

test("an error is told in words and the next request goes out", () => {
  const { queue, sent, log, ask, answer } = make();
  queue.want("nine", [ask("a")]);
  queue.want("tiles", [ask("b")]);
  queue.receive({ seq: 1, ok: false, error: "no such unit" }, []);
  assert.deepEqual(log, [["a", "no such unit"]]);
  assert.equal(sent.at(-1).kind, "b");
  answer();
  queue.close();
});

test("a failing handler does not stop the queue", () => {
  const { queue, sent, ask } = make();
  queue.want("nine", [
    ask("a", {
      done: () => {
        throw new Error("bug");
      },
    }),
  ]);
  queue.want("tiles", [ask("b")]);
  assert.throws(() => queue.receive({ seq: 1, ok: true }, []), /bug/);
  assert.equal(sent.at(-1).kind, "b");
  queue.close();
});

test("it is sent again after the timeout, and any of its answers will do", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const slow = [];
  const { queue, sent, log, ask, answer } = make({ onSlow: (now) => slow.push(now) });
  queue.want("nine", [ask("a")]);
  mock.timers.tick(TIMEOUT - 1);
  assert.equal(sent.length, 1);
  mock.timers.tick(1);
  assert.deepEqual(
    sent.map((message) => [message.kind, message.seq]),
    [
      ["a", 1],
      ["a", 2],
    ],
  );
  assert.equal(answer("the first one's", 1), true);
  assert.equal(answer("the second one's", 2), false);
  assert.deepEqual(log, [["a", "the first one's"]]);
  assert.deepEqual(slow, [true, false]);
  queue.close();
  mock.timers.reset();
});

test("a dead kernel is told in words; the next action tries again; a live one ends it", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { queue, sent, told, log, ask, answer } = make();
  queue.want("tiles", [ask("b"), ask("c")]);
  for (let at = 0; at < ATTEMPTS; at += 1) mock.timers.tick(TIMEOUT);
  assert.equal(sent.length, ATTEMPTS);
  assert.deepEqual(log, [["b", SILENCE]]);
  assert.deepEqual(told, [true]);
  assert.equal(queue.pending, 0, "nothing keeps knocking");
  mock.timers.tick(10 * TIMEOUT);
  assert.equal(sent.length, ATTEMPTS);
  queue.want("nine", [ask("a")]);
  assert.equal(sent.length, ATTEMPTS, "a redrawn view does not knock either");
  queue.wake();
  assert.equal(sent.at(-1).kind, "a");
  answer("back");
  assert.deepEqual(told, [true, false]);
  assert.deepEqual(log.at(-1), ["a", "back"]);
  queue.close();
  mock.timers.reset();
});

test("what cannot be sent fails in words and does not block", () => {
  let broken = true;
  const { queue, log, ask } = make({
    send: () => {
      if (broken) throw new Error("comm is closed");
    },
  });
  queue.want("nine", [ask("a")]);
  assert.match(log[0][1], /comm is closed/);
  broken = false;
  queue.want("nine", [ask("b")]);
  assert.equal(queue.pending, 1);
  queue.close();
});

test("a closed queue is deaf and dumb", () => {
  const { queue, sent, log, ask, answer } = make();
  queue.want("nine", [ask("a")]);
  queue.close();
  assert.equal(answer(), false);
  queue.want("nine", [ask("b")]);
  assert.equal(sent.length, 1);
  assert.deepEqual(log, []);
});

test("the next request waits until the answer is drawn, whose second copy is dropped", async () => {
  const { queue, sent, ask, answer } = make();
  let drawn;
  queue.want("nine", [
    ask("nine", {
      done: () =>
        new Promise((resolve) => {
          drawn = resolve;
        }),
    }),
  ]);
  queue.want("unit", [ask("unit")]);
  assert.equal(answer("first", 1), true);
  assert.equal(answer("again", 1), false);
  assert.equal(sent.length, 1);
  drawn();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.deepEqual(
    sent.map((message) => message.kind),
    ["nine", "unit"],
  );
  queue.close();
});
