import assert from "node:assert/strict";
import { test } from "node:test";
import { differenceOf } from "../src/comparison/both_maps.ts";
import { classOfName, scaleSize } from "../src/comparison/occlusion_wire.ts";
import { describeStatus, findPair, orderPairs, type Pairs } from "../src/comparison/pairs.ts";
import { sideModel } from "../src/comparison/side_model.ts";
import type { WidgetModel } from "../src/kernel/model.ts";
import type { MapGrid } from "../src/occlusion/map_grid.ts";

const PAIRS: Pairs = {
  layers: { a: "conv1", b: "conv1" },
  units: { a: Int32Array.from([0, 1, 2, -1]), b: Int32Array.from([0, 2, 1, 3]) },
  correlation: Float32Array.from([0.9, 0.2, Number.NaN, Number.NaN]),
  status: [
    ["kept", "kept"],
    ["lost", "new"],
    ["dead", "dead"],
    [null, "new"],
  ],
  elsewhere: [
    [null, null],
    [null, null],
    [null, null],
    [null, null],
  ],
  crops: 9,
};

test("pairs are sorted by difference, units without a partner last, and filtered by the status of either unit", () => {
  assert.deepEqual(orderPairs(PAIRS, { sort: "difference", status: [] }, undefined), [1, 0, 2, 3]);
  assert.deepEqual(orderPairs(PAIRS, { sort: "correlation", status: [] }, undefined), [0, 1, 2, 3]);
  assert.deepEqual(orderPairs(PAIRS, { sort: "number", status: ["new"] }, undefined), [1, 3]);
  assert.equal(findPair(PAIRS, 2, 1), 2);
  assert.equal(findPair(PAIRS, null, 3), 3);
  assert.equal(findPair(PAIRS, 1, 1), null);
});

test("the status of a unit that is matched to another unit than its partner names that unit", () => {
  assert.equal(describeStatus(["moved", "moved"]), "moved");
  assert.equal(describeStatus(["lost", "new"], [null, null]), "lost | new");
  assert.equal(describeStatus(["moved", "new"], [7, null]), "A moved (B 7) | B new");
  assert.equal(describeStatus([null, "moved"], [null, 3]), "B moved (A 3)");
});

test("a side's model adds the side to its messages, and passes on replies and the events of that side", () => {
  const listeners: ((message: object) => void)[] = [];
  const sent: object[] = [];
  const model = {
    send: (message: object) => sent.push(message),
    on: (_: string, listener: (message: object) => void) => listeners.push(listener),
    off: (_: string, listener: (message: object) => void) => listeners.splice(listeners.indexOf(listener), 1),
    get: () => null,
    set: () => {},
    save_changes: () => {},
  } as unknown as WidgetModel;
  const received: Record<string, object[]> = { a: [], b: [], own: [] };
  const listen = (name: string, side: "a" | "b" | null) => {
    const own = sideModel(model, side);
    const listener = (message: object) => received[name]?.push(message);
    own.on("msg:custom", listener as never);
    own.send({ kind: "hello" });
    return () => own.off("msg:custom", listener as never);
  };
  const ends = [listen("a", "a"), listen("b", "b"), listen("own", null)];
  assert.deepEqual(sent, [{ kind: "hello", side: "a" }, { kind: "hello", side: "b" }, { kind: "hello" }]);
  for (const message of [{ event: "changed", side: "b" }, { event: "summary" }, { seq: 1 }])
    for (const listener of [...listeners]) listener(message);
  assert.deepEqual(received.a, [{ seq: 1 }]);
  assert.deepEqual(received.b, [{ event: "changed", side: "b" }, { seq: 1 }]);
  assert.deepEqual(received.own, [{ event: "summary" }, { seq: 1 }]);
  for (const end of ends) end();
  assert.equal(listeners.length, 0);
});

test("the difference is taken at the nearest position of an input of another size", () => {
  const grid = (values: number[], rows: number, stride: number) =>
    ({
      probability: Float32Array.from(values),
      rows,
      cols: rows,
      origin: [stride / 2, stride / 2],
      stride: [stride, stride],
    }) as unknown as MapGrid;
  const a = grid([0.5, 0.6, 0.7, Number.NaN], 2, 8);
  const b = grid([0.25, 0.5, 0.125, 0.1], 2, 16);
  const difference = differenceOf(a, b, { a: [16, 16], b: [32, 32] });
  assert.deepEqual(
    [...difference].slice(0, 3).map((value) => value.toFixed(3)),
    ["0.250", "0.100", "0.575"],
  );
  assert.ok(Number.isNaN(difference[3]));
});

test("classes are matched by name in any spelling, and sizes are scaled to whole pixels", () => {
  assert.equal(classOfName("Sea_Lion", ["ant", "sea lion"]), 1);
  assert.equal(classOfName("kite", ["ant"]), null);
  assert.deepEqual(scaleSize([48, 1], [224, 224], [299, 96]), [64, 1]);
});
