import assert from "node:assert/strict";
import { test } from "node:test";
import { cellColour, errorScaleMax, interpolateColours, matrixPixels, type Palette } from "../src/classification/matrix_colours.ts";
import {
  isFullyZoomed,
  isZoomed,
  type MatrixView,
  nearestPosition,
  nextPosition,
  pan,
  positionAt,
  resize,
  scrollTo,
  wholeMatrix,
  zoomAt,
} from "../src/classification/matrix_geometry.ts";

const PALETTE: Palette = {
  empty: [9, 9, 9],
  right: [
    [0, 0, 0],
    [0, 0, 200],
  ],
  wrong: [
    [0, 0, 0],
    [100, 0, 0],
    [200, 0, 0],
  ],
};
const assertNear = (one: number, other = Number.NaN) => assert.ok(Math.abs(one - other) < 1e-9, `${one} is not ${other}`);
const underneath = (view: MatrixView, x: number, y: number) => [view.top + y / view.size, view.left + x / view.size];

/** Three classes: one in ten of the second is predicted as the third, the third has no tests. */
const run = () => ({
  categories: ["ant", "bee", "cat"],
  tests: Int32Array.of(4, 10, 0),
  confusion: Int32Array.of(4, 0, 0, 0, 9, 1, 0, 0, 0),
});

test("zoom keeps the cell under the pointer, except at the border", () => {
  const whole = wholeMatrix(101, 500);
  const nearer = zoomAt(whole, 3, 240, 310);
  assertNear(nearer.size, (3 * 500) / 101);
  for (const at of [0, 1]) assertNear(underneath(nearer, 240, 310)[at] ?? 0, underneath(whole, 240, 310)[at]);
  const back = zoomAt(nearer, 1 / 3, 240, 310);
  assertNear(back.size, whole.size);
  assert.deepEqual([back.left, back.top], [0, 0]);
  assert.ok(isZoomed(nearer) && !isZoomed(whole) && !isZoomed(back));
});

test("neither zoom nor pan leaves the matrix", () => {
  for (const count of [1, 2, 5, 101, 257, 1000]) {
    let view = wholeMatrix(count, 480);
    for (const [factor, x, y] of [
      [2, 10, 470],
      [5, 0, 0],
      [0.3, 480, 480],
      [99, 479, 1],
      [1e-6, 3, 3],
    ] as const) {
      view = pan(zoomAt(view, factor, x, y), 37 * x, -90 * y);
      assert.ok(view.left >= 0 && view.top >= 0, `${count}`);
      assert.ok(view.left + view.side / view.size <= count + 1e-6 && view.top + view.side / view.size <= count + 1e-6, `${count}`);
    }
    assertNear(view.size, 480 / count);
    assert.equal(zoomAt(view, 1e6, 0, 0).size, Math.max(72, 480 / count));
    assert.ok(isFullyZoomed(zoomAt(view, 1e6, 0, 0)));
  }
});

test("dragging moves the cells with the pointer", () => {
  const view = zoomAt(wholeMatrix(101, 500), 8, 250, 250);
  const dragged = pan(view, -30, 50);
  for (const at of [0, 1]) assertNear(underneath(dragged, 120, 300)[at] ?? 0, underneath(view, 150, 250)[at]);
});

test("resizing keeps the centre and the zoom", () => {
  const view = zoomAt(wholeMatrix(101, 500), 8, 250, 250);
  const wider = resize(view, 700);
  assertNear(wider.size, view.size);
  for (const at of [0, 1]) assertNear(underneath(wider, 350, 350)[at] ?? 0, underneath(view, 250, 250)[at]);
  assert.deepEqual(resize(wholeMatrix(101, 500), 300), wholeMatrix(101, 300));
});

test("a cell is scrolled into view by the shortest way", () => {
  const view = zoomAt(wholeMatrix(101, 500), 8, 250, 250);
  const shown = scrollTo(view, [2, 100]);
  assert.equal(shown.top, 2);
  assertNear(shown.left, 101 - 500 / view.size);
  assert.deepEqual(scrollTo(view, positionAt(view, 250, 250) ?? [0, 0]), view);
});

test("the cell under the pointer, and the nearest one that is not empty", () => {
  const view = wholeMatrix(100, 200); // cells of two pixels
  assert.deepEqual(positionAt(view, 0, 199.9), [99, 0]);
  for (const [x, y] of [
    [-1, 5],
    [5, 200],
    [200, 5],
  ] as const)
    assert.equal(positionAt(view, x, y), null);
  const isFilled = (row: number, column: number) => (row === 50 && column === 52) || (row === 50 && column === 47);
  assert.deepEqual(nearestPosition(view, 102.5, 101, isFilled), [50, 52], "the nearer of two");
  assert.deepEqual(nearestPosition(view, 97, 101, isFilled), [50, 47]);
  assert.deepEqual(nearestPosition(view, 20, 20, isFilled), [10, 10], "out of reach: the one under it");
  assert.deepEqual(
    nearestPosition(wholeMatrix(4, 200), 60, 10, () => false),
    [0, 1],
  );
  const large = wholeMatrix(4, 200);
  assert.deepEqual(
    nearestPosition(large, 51, 10, (row, column) => row === 0 && column === 0),
    [0, 1],
    "a large cell counts itself",
  );
});

test("arrow keys stay inside", () => {
  assert.deepEqual(nextPosition("ArrowUp", [0, 3], 9), [0, 3]);
  assert.deepEqual(nextPosition("ArrowRight", [0, 3], 9), [0, 4]);
  assert.deepEqual(nextPosition("PageDown", [4, 3], 9), [8, 3]);
  assert.deepEqual(nextPosition("End", [4, 3], 9), [4, 8]);
  assert.equal(nextPosition("x", [4, 3], 9), null);
});

test("errors have their own colour scale, and a single error is visible", () => {
  assert.equal(errorScaleMax(run()), 0.1);
  assert.equal(errorScaleMax({ ...run(), confusion: new Int32Array(9) }), 0.05);
  assert.deepEqual(cellColour(PALETTE, false, 0, 0.1), PALETTE.empty);
  assert.deepEqual(cellColour(PALETTE, false, 0.1, 0.1), [200, 0, 0]);
  assert.ok(cellColour(PALETTE, false, 0.0001, 0.5)[0] > 40);
  assert.deepEqual(cellColour(PALETTE, true, 0.5, 0.1), [0, 0, 100]);
  assert.deepEqual(interpolateColours(PALETTE.wrong, 0.75), [150, 0, 0]);
});

test("one pixel for each cell, in the shown order; a class without tests is empty", () => {
  const pixels = matrixPixels(run(), [2, 1, 0], PALETTE, 0.1);
  const at = (row: number, column: number) => [...pixels.slice(4 * (3 * row + column), 4 * (3 * row + column) + 4)];
  assert.deepEqual(at(2, 2), [0, 0, 200, 255], "ant is always right");
  assert.deepEqual(at(1, 0), [200, 0, 0, 255], "bee predicted as cat");
  assert.deepEqual(at(0, 1), [9, 9, 9, 255]);
  assert.deepEqual(at(0, 0), [9, 9, 9, 255]);
});
