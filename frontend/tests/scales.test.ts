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

test("percentages are as before", () => assert.deepEqual(texts(percentScale()), ["0%", "25%", "50%", "75%", "100%"]));
