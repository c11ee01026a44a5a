import assert from "node:assert/strict";
import { test } from "node:test";
import { linearScale, logScale, percentScale } from "../src/ui/scales.ts";

const texts = ({ ticks }: { ticks: { text: string }[] }) => ticks.map(({ text }) => text);

test("a linear axis goes from 0 to a round number above all values", () => {
  const scale = linearScale([0.2, 4.61, Number.NaN]);
  assert.deepEqual(texts(scale), ["0", "2", "4", "6"]);
  assert.equal(scale.height(3), 0.5);
  assert.deepEqual(texts(linearScale([0.01, 0.037])), ["0.00", "0.01", "0.02", "0.03", "0.04"]);
  assert.equal(linearScale([]).height(0), 0);
});

test("a logarithmic axis has whole powers of ten, and no place for zero", () => {
  const scale = logScale([2e-4, 0.05, 0]);
  assert.deepEqual(texts(scale), ["10⁻⁴", "10⁻³", "10⁻²", "0.1"]);
  assert.ok(Math.abs((scale.height(1e-3) as number) - 1 / 3) < 1e-12);
  assert.equal(scale.height(0), null);
  assert.deepEqual(texts(logScale([0.01])), ["10⁻³", "10⁻²", "0.1"]);
});

test("percentages go to 100, or to a round number above values that are all small", () => {
  const all = ["0%", "25%", "50%", "75%", "100%"];
  for (const values of [undefined, [], [0], [3, 50], [Number.NaN]]) assert.deepEqual(texts(percentScale(values)), all);
  const zoomed = percentScale([3, 22.9, Number.NaN]);
  assert.deepEqual(texts(zoomed), ["0%", "10%", "20%", "30%"]);
  assert.equal(zoomed.height(15), 0.5);
});
