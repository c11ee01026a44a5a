import assert from "node:assert/strict";
import { test } from "node:test";

import { shortName } from "../src/transfer/class_names.ts";
const width = (words) => words.length;

test("a name is cut in its middle, as little as needed", () => {
  const name = "jeep (imagenet_03_990)";
  assert.equal(shortName(name, 22, width), name);
  assert.equal(shortName(name, 21, width), "jeep (imagene…03_990)");
  assert.equal(shortName(name, 16, width), "jeep (im…03_990)");
  assert.equal(shortName(name, 9, width), "jeep…990)");
  for (let room = 2; room < 22; room += 1) assert.equal(shortName(name, room, width).length, room);
});

test("with room for nothing one character stays, and a name of one is whole", () => {
  assert.equal(shortName("jeep", 0, width), "j…");
  assert.equal(shortName("j", 1, width), "j");
});
