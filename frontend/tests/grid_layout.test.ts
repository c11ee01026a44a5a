import assert from "node:assert/strict";
import { test } from "node:test";

import { BitmapCache } from "../src/kernel/bitmap_cache.ts";
import { cellPosition, fitTile, gridLayout, nearestFirst, scrollToShow, totalHeight, visibleCells } from "../src/layers/grid_layout.ts";
import { histogramBars } from "../src/layers/histogram.ts";
import { fitInside } from "../src/layers/source_photograph.ts";
import { nextInGrid } from "../src/ui/grid_navigation.ts";

test("mosaics are shown without resampling and fit, at any width and resolution", () => {
  for (const [view, size] of [
    ["both", "small"],
    ["both", "medium"],
    ["projections", "large"],
    ["patches", "small"],
  ] as const) {
    for (const ratio of [1, 1.5, 2]) {
      for (let width = 260; width < 2000; width += 37) {
        const layout = gridLayout(width, view, ratio, size);
        assert.ok(Math.abs(layout.side * ratio - (3 * layout.tile + 4)) < 1e-9);
        assert.ok((layout.columns - 1) * layout.stepX + layout.cellWidth <= width + 1e-9, `${view} ${width}`);
        assert.ok(layout.stepX >= layout.cellWidth && layout.stepY >= layout.cellHeight);
      }
    }
  }
  assert.equal(gridLayout(540, "both", 1).columns, 2);
  assert.equal(gridLayout(540, "patches", 1).columns, 3);
  const columns = (["small", "medium", "large"] as const).map((size) => gridLayout(807, "both", 1, size).columns);
  assert.deepEqual(columns, [4, 3, 2], "in a window of 1600 pixels");
  assert.equal(fitTile(1000, 1, 40, 110).tile, 110);
  assert.equal(fitTile(10, 2, 40, 110).tile, 80);
});

test("only visible cells are in the page", () => {
  const layout = gridLayout(540, "both", 1);
  const height = 600;
  for (const scrollTop of [0, 1, 500, 5000, totalHeight(layout, 2048) - height]) {
    const [first, last] = visibleCells(layout, 2048, scrollTop, height);
    assert.ok(last - first <= layout.columns * (Math.ceil(height / layout.stepY) + 1));
    assert.ok(cellPosition(layout, first).y <= scrollTop);
    assert.ok(cellPosition(layout, last - 1).y + layout.stepY >= Math.min(scrollTop + height, totalHeight(layout, 2048)));
  }
  assert.deepEqual(visibleCells(layout, 3, 0, 600, 1), [0, 3]);
  assert.deepEqual(visibleCells(layout, 0, 0, 600), [0, 0]);
});

test("tiles are requested nearest first, in reading order where they are visible", () => {
  const layout = gridLayout(540, "both", 1);
  const places = Array.from({ length: 20 }, (_, at) => at);
  const top = 3 * layout.stepY;
  const order = nearestFirst(layout, places, top, 2 * layout.stepY - 12);
  assert.deepEqual(order.slice(0, 4), [6, 7, 8, 9]);
  assert.deepEqual(new Set(order.slice(4, 8)), new Set([4, 5, 10, 11]));
  assert.equal(order.length, 20);
});

test("the selected unit is scrolled into view by the shortest way", () => {
  const layout = gridLayout(540, "both", 1);
  assert.equal(scrollToShow(layout, 0, 0, 600), 0);
  const down = scrollToShow(layout, 40, 0, 600);
  assert.ok(cellPosition(layout, 40).y >= down && cellPosition(layout, 40).y + layout.cellHeight <= down + 600);
  assert.equal(scrollToShow(layout, 40, down, 600), down);
  assert.equal(scrollToShow(layout, 2, down, 600), cellPosition(layout, 2).y);
  assert.equal(scrollToShow(layout, 40, 0, 50), cellPosition(layout, 40).y, "a viewport smaller than a cell shows its top");
});

test("arrow keys move in the grid and stop at its edges", () => {
  const move = (key: string, place: number) => nextInGrid(key, place, 3, 8, 2);
  assert.deepEqual(
    ["ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp"].map((key) => move(key, 4)),
    [5, 3, 7, 1],
  );
  assert.equal(move("ArrowLeft", 0), 0);
  assert.equal(move("ArrowRight", 7), 7);
  assert.equal(move("ArrowDown", 5), 7, "into a last row that is not full");
  assert.equal(move("ArrowDown", 7), 7);
  assert.equal(move("ArrowUp", 1), 1);
  assert.deepEqual([move("Home", 5), move("End", 2), move("PageDown", 0), move("PageUp", 7)], [0, 7, 6, 1]);
  assert.equal(move("PageUp", 4), 1);
  assert.equal(move("x", 4), null);
});

test("an image keeps its aspect ratio", () => {
  assert.deepEqual(fitInside(400, 200, 100, 100), { width: 100, height: 50 });
  assert.deepEqual(fitInside(200, 400, 300, 100), { width: 50, height: 100 });
});

test("a histogram on a square-root scale, neighbouring bins together", () => {
  const bars = histogramBars([16, 4, 0, 1], [0, 1, 2, 3, 4]);
  assert.deepEqual(
    bars.map((bar) => bar.height),
    [1, 0.5, 0, 0.25],
  );
  const many = histogramBars(
    Array.from({ length: 100 }, () => 2),
    Array.from({ length: 101 }, (_, at) => at),
  );
  assert.ok(many.length <= 40);
  assert.equal(
    many.reduce((sum, bar) => sum + bar.count, 0),
    200,
  );
  assert.equal(many.at(-1)?.to, 100);
});

function makeBitmap(side: number) {
  const bitmap = {
    width: side,
    height: side,
    closed: false,
    close: () => {
      bitmap.closed = true;
    },
  };
  return bitmap;
}

test("the bitmap cache is limited in bytes and discards the least recently used", () => {
  const cache = new BitmapCache(3 * 10 * 10 * 4);
  const all = { a: makeBitmap(10), b: makeBitmap(10), c: makeBitmap(10), d: makeBitmap(10) };
  for (const key of ["a", "b", "c"] as const) cache.put(key, all[key]);
  cache.get("a");
  cache.put("d", all.d);
  assert.deepEqual(
    ["a", "b", "c", "d"].map((key) => cache.has(key)),
    [true, false, true, true],
  );
  assert.ok(all.b.closed && !all.a.closed);
  assert.equal(cache.bytes, 1200);
  cache.put("a", makeBitmap(10));
  assert.equal(cache.bytes, 1200, "a replaced one is not counted twice");
  cache.put("huge", makeBitmap(100));
  assert.ok(cache.has("huge"), "the newest is kept");
  cache.clear();
  assert.equal(cache.bytes, 0);
});

test("an image that is decoded after the cache was cleared is discarded", async () => {
  const made = makeBitmap(4);
  globalThis.createImageBitmap = async () => made as ImageBitmap;
  const cache = new BitmapCache();
  const decoding = cache.decode("a", new DataView(new ArrayBuffer(8)), "image/png");
  assert.ok(cache.has("a"), "it is not requested twice");
  cache.clear();
  assert.equal(await decoding, null);
  assert.ok(made.closed && !cache.has("a"));
});
