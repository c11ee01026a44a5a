import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { AwaitedResource } from "../src/contributions/awaited_resource.ts";
import { placeNodes } from "../src/contributions/feeder_tree.ts";
import { formatSigned } from "../src/contributions/format.ts";
import { describeTurns } from "../src/contributions/why_panel.ts";
import { settle } from "./fake_model.ts";

test("an answer that is pending is requested again after its event, and by itself if the event was missed", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const replies: ({ value: number } | { pending: { done: number; total: number } })[] = [
      { pending: { done: 1, total: 4 } },
      { pending: { done: 2, total: 4 } },
      { value: 7 },
    ];
    let requests = 0;
    const resource = new AwaitedResource<number>({ available: true }, () => {}, 8);
    const read = () =>
      resource.read("key", async () => {
        requests += 1;
        return replies.shift() ?? null;
      });
    read();
    await settle();
    assert.deepEqual(read().pending, { done: 1, total: 4 });
    assert.equal(requests, 1, "no request while it is pending");
    resource.requestAgain();
    assert.deepEqual(read().pending, { done: 1, total: 4 }, "the last progress is shown meanwhile");
    await settle();
    assert.deepEqual(read().pending, { done: 2, total: 4 });
    mock.timers.tick(2000); // no event
    read();
    await settle();
    assert.equal(read().value, 7);
    assert.equal(requests, 3);
  } finally {
    mock.timers.reset();
  }
});

test("a feeder is placed near to the units that it feeds", () => {
  const nodes = [{ depth: 0 }, { depth: 1 }, { depth: 1 }, { depth: 2 }, { depth: 2 }];
  const edges = [
    { source: 1, to: 0, share: 0.5 },
    { source: 2, to: 0, share: 0.4 },
    { source: 3, to: 2, share: 0.3 }, // feeds the lower one
    { source: 4, to: 1, share: 0.2 },
  ];
  const { positions } = placeNodes(nodes, edges);
  const y = positions.map(([, top]) => top);
  assert.ok((y[1] ?? 0) < (y[2] ?? 0));
  assert.ok((y[4] ?? 0) < (y[3] ?? 0), "lines do not cross");
  assert.equal(y[0], ((y[1] ?? 0) + (y[2] ?? 0)) / 2, "the first column is centred");
});

test("texts about contributions", () => {
  assert.deepEqual([0.644, -12.34, 0.001, Number.NaN].map(formatSigned), ["+0.64", "−12.3", "0.00", "–"]);
  const turns = { contribution: [1], activation: [null], random: [12] };
  const text = describeTurns({ counts: [0, 1, 40], turns });
  assert.equal(text, "The answer turns after 1 unit in order of contribution, not within 40 in order of activation, after 12 at random.");
  const never = describeTurns({ counts: [0, 40], turns: { contribution: [null], activation: [null], random: [null] } });
  assert.ok(never.startsWith("The answer does not turn within 40 units"));
});
