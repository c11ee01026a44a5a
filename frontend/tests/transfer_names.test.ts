import assert from "node:assert/strict";
import { test } from "node:test";

import { fitClassName } from "../src/classification/class_names.ts";

const width = (words: string) => words.length;

test("names are cut in the middle, as little as needed", () => {
  const name = "jeep (imagenet_03_990)";
  assert.equal(fitClassName(name, 22, width), name);
  assert.equal(fitClassName(name, 21, width), "jeep (imagene…03_990)");
  assert.equal(fitClassName(name, 16, width), "jeep (im…03_990)");
  assert.equal(fitClassName(name, 9, width), "jeep…990)");
  for (let room = 2; room < 22; room += 1) assert.equal(fitClassName(name, room, width).length, room);
});

test("without room one character stays, and a name of one character is whole", () => {
  assert.equal(fitClassName("jeep", 0, width), "j…");
  assert.equal(fitClassName("j", 1, width), "j");
});
