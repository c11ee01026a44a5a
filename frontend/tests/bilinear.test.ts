import assert from "node:assert/strict";
import { test } from "node:test";

import { resizeBilinear } from "../src/ui/bilinear.ts";
import { isWhole, mapRange } from "../src/ui/map_overlay.ts";

test("values are interpolated between the centres of cells, and constant beyond them", () => {
  // A 2 x 2 map, twice as large: the centres of the pixels are at -0.25, 0.25, 0.75 and 1.25 cells.
  const resized = resizeBilinear([0, 4, 8, 12], 2, 2, 4, 4);
  assert.deepEqual([...resized.subarray(0, 4)], [0, 1, 3, 4]);
  assert.deepEqual([...resized.subarray(4, 8)], [2, 3, 5, 6]);
  assert.deepEqual([...resized.subarray(12, 16)], [8, 9, 11, 12]);
  assert.deepEqual([...resizeBilinear([7], 1, 1, 2, 3)], [7, 7, 7, 7, 7, 7]);
  const map = Float32Array.from({ length: 35 }, (_, cell) => (cell * 37) % 11);
  assert.deepEqual([...resizeBilinear(map, 5, 7, 5, 7)], [...map], "the same size: the same values");
});

test("a colour scale includes zero", () => {
  assert.deepEqual(mapRange(Float32Array.of(2, 9)), [0, 9]);
  assert.deepEqual(mapRange(Float32Array.of(-3, -1)), [-3, 0]);
  assert.deepEqual(mapRange(Float32Array.of(0, 0)), [0, 1]);
});

test("a crop that differs from the photograph by rounding is the whole photograph", () => {
  assert.ok(isWhole(null) && isWhole([0, 0, 0.9995, 1]) && !isWhole([0.1, 0, 0.9, 1]));
});
