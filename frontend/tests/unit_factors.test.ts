import assert from "node:assert/strict";
import { test } from "node:test";
import { UnitFactors } from "../src/kernel/unit_factors.ts";
import type { UnitFactor } from "../src/kernel/wire.ts";
import { describeFactor } from "../src/ui/switch.ts";
import { describeUnits, nameUnitsOff } from "../src/ui/unit_badge.ts";
import { makeClient, settle } from "./fake_model.ts";

function makeUnits(known: UnitFactor[] = []) {
  const { model, client } = makeClient();
  const errors: string[] = [];
  const state = { known, errors };
  const units = new UnitFactors({
    client,
    units: () => state.known,
    received: (received) => {
      state.known = received;
    },
    failed: (message) => void (message && errors.push(message)),
    changed: () => {},
  });
  return { model, client, units, state };
}

test("a switch is shown at once, and confirmed by the reply", async () => {
  const { model, client, units, state } = makeUnits([{ layer: "conv5", unit: 7, factor: 0.5 }]);
  units.toggle("conv5", 133);
  assert.equal(units.factor("conv5", 133), 0);
  assert.deepEqual(model.sent[0]?.units, [["conv5", 133, 0]]);
  assert.equal(describeUnits(units.list()), "2 units changed");
  model.answer({ units: [{ layer: "conv5", unit: 133, factor: 0 }] });
  await settle();
  assert.deepEqual(units.list(), state.known);
  assert.equal(describeUnits(units.list()), "1 unit off");
  units.toggle("conv5", 133);
  assert.equal(units.factor("conv5", 133), 1);
  assert.deepEqual(units.list(), [], "a unit that is switched on is not listed");
  client.close();
});

test("a refused change is undone, and its message shown", async () => {
  const { model, client, units, state } = makeUnits();
  units.set("fc6", 3, 0);
  model.answer({ ok: false, error: "The answer does not depend on fc6" });
  await settle();
  assert.equal(units.factor("fc6", 3), 1);
  assert.deepEqual(state.errors, ["The answer does not depend on fc6"]);
  client.close();
});

test("of the changes of one unit that wait only the last is sent; other units do not wait", async () => {
  const { model, client, units } = makeUnits();
  for (const factor of [0.1, 0.2, 0.3]) units.set("conv1", 5, factor);
  units.set("conv1", 6, 0);
  const sent = () => model.sent.map((message) => JSON.stringify(message.units));
  assert.deepEqual(sent(), ['[["conv1",5,0.1]]', '[["conv1",6,0]]']);
  model.answer({ units: [{ layer: "conv1", unit: 5, factor: 0.1 }] }, { at: 0 });
  await settle();
  assert.equal(sent()[2], '[["conv1",5,0.3]]');
  assert.equal(units.factor("conv1", 5), 0.3, "the earlier reply does not move the switch back");
  client.close();
});

test("factors in words", () => {
  assert.deepEqual([0, 1, 0.5, 1 / 3].map(describeFactor), ["off", "on", "× 0.5", "× 0.333"]);
  assert.equal(describeUnits([]), "");
});

test("units that are off are named layer by layer, as a TransferPanel reads them", () => {
  const units = [
    { layer: "conv5", unit: 133, factor: 0 },
    { layer: "conv4", unit: 7, factor: 0 },
    { layer: "conv5", unit: 254, factor: 0 },
    { layer: "conv5", unit: 1, factor: 2 },
  ];
  assert.equal(nameUnitsOff(units), "conv5 133, 254, conv4 7");
  assert.equal(nameUnitsOff([]), "");
});
